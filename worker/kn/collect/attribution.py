"""Integrated gradients of an answer's probability, for every neuron at once.

    IG(l, i) = a_i · Σ_k w_k ∂P(answer | α_k a)/∂a_i        (Dai et al., ACL 2022)

A neuron's gradient is its value's product with the gradient at the place where the row enters,
∂P/∂a_i = W_down[:, i] · g, so the steps are summed in d_model before they are spread over d_ff.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import torch
from torch import Tensor

from contract.memory import STATEMENTS_PER_PASS
from worker.kn.collect.answer import answer_gradient
from worker.kn.collect.quadrature import Quadrature, like
from worker.kn.collect.rows.order import Order
from worker.kn.collect.rows.riding import ascend
from worker.kn.model.layout import Block
from worker.kn.model.recording import Recording, Trace, record
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Batch, Statement, alike
from worker.kn.stopwatch import Told


class Unit(Enum):
    """What is scaled from 0 to its own value."""

    HIDDEN = "hidden"  # the input of down_proj
    GATE = "gate"  # gate_proj's output, before the activation function, as EasyEdit has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """How attribution is integrated, and how many layers ride per pass."""

    quadrature: Quadrature
    unit: Unit = Unit.HIDDEN
    layers_per_pass: int
    riding: Callable[[], int] | None = None  # asked before each pass: fewer may ride in it

    def blocks(self, n_layer: int) -> Iterator[range]:
        """The layers of each pass, one after another."""
        first = 0
        while first < n_layer:
            size = self.layers_per_pass
            if self.riding is not None:
                size = min(size, self.riding())
            yield range(first, min(first + size, n_layer))
            first += size


@dataclass(frozen=True, slots=True)
class Attribution:
    """What the neurons of all layers did for each of J answer tokens; on the CPU."""

    scores: Tensor  # (J, n_layer, d_ff), at least float32
    lost: Tensor  # (J, n_layer): P(answer | a) − P(answer | 0), all units of one layer at 0

    @property
    def incompleteness(self) -> float:
        """max_l |Σ_i IG(l, i) − ΔP_l| / max_l |ΔP_l|, at the answer token where it is largest.

        Integrated gradients add up to what the path changes (completeness: Sundararajan et al.,
        ICML 2017); what is missing is the quadrature's error and the dtype's.
        """
        missing = (self.scores.sum(-1) - self.lost).abs().amax(-1)  # (J,)
        most = self.lost.abs().amax(-1).clamp_min(torch.finfo(self.lost.dtype).tiny)
        return (missing / most).max().item()


def attribute(
    resident: Resident, statements: Sequence[Statement], path: Path, *, told: Told
) -> list[Attribution]:
    """The attribution of every neuron for each token of each statement's answer, teacher forced, by
    statement."""
    path = replace(path, quadrature=path.quadrature.with_ends)
    groups = list(alike(statements, lambda s: len(s.answers), most=STATEMENTS_PER_PASS))
    n_layer = len(resident.blocks)
    total = len(groups) * n_layer
    found: dict[int, Attribution] = {}
    for n_group, indexes in enumerate(groups):

        def told_of(layer: int, before: int = n_group * n_layer) -> None:
            told(before + layer, total)

        batch = Batch.of([statements[i] for i in indexes], resident.device)
        found |= zip(indexes, _attribute_batch(resident, batch, path, told=told_of), strict=True)
    told(total, total)
    return [found[i] for i in range(len(statements))]


def _attribute_batch(
    resident: Resident, batch: Batch, path: Path, *, told: Callable[[int], None]
) -> Iterator[Attribution]:
    """The attribution of each statement; what was recorded of them is gone when the next come."""
    recording = record(resident, batch)
    layers: list[Tensor] = []
    lost: list[Tensor] = []
    for block in path.blocks(len(resident.blocks)):
        told(block.start)
        for score, change in _attribute_layers(resident, recording, path, block):
            layers.append(score.to("cpu"))
            lost.append(change.to("cpu"))
    scores = torch.stack(layers, dim=2)  # (S, J, n_layer, d_ff)
    changes = torch.stack(lost, dim=2)  # (S, J, n_layer)
    return map(Attribution, scores, changes)


@torch.no_grad()
def _attribute_layers(
    resident: Resident, recording: Recording, path: Path, layers: range
) -> list[tuple[Tensor, Tensor]]:
    """The scores (S, J, d_ff) of each of `layers`, and what the layer changes of P: (S, J)."""
    batch, traces, blocks = recording.batch, recording.traces, resident.blocks
    # The row at α = 1 is the same for all layers.
    order = Order(layers, batch.positions.shape[1], len(path.quadrature.nodes) - 1)

    def entering(layer: int) -> Tensor:
        return _entering(blocks[layer], traces[layer], path)

    ascent = ascend(resident, recording, order, entering)
    found = answer_gradient(resident.head, ascent.top, order.spread(batch.answers))
    scores = {}
    for layer, pulled in ascent.descend(found.direction):
        scores[layer] = _score(
            blocks[layer],
            traces[layer],
            path,
            order.at(layer, pulled),
            order.at(layer, found.factor),
        )
    return [(scores[layer], _change(order.at(layer, found.p))) for layer in layers]


def _change(p: Tensor) -> Tensor:
    """What P (S, J, m + 1) gains from α = 0 to α = 1."""
    return p[..., -1] - p[..., 0]


def _entering(block: Block, trace: Trace, path: Path) -> Tensor:
    """The residual stream after the block, its units scaled by each α_k < 1: (S, J·m, d_model)."""
    alpha = like(path.quadrature.nodes[:-1], trace.mid)[:, None]  # (m, 1)
    if path.unit is Unit.GATE:
        scaled = block.activation(trace.gate[:, :, None] * alpha) * trace.up[:, :, None]
        out = block.down(scaled)  # (S, J, m, d_model)
    else:
        bias = 0 if block.down.bias is None else block.down.bias
        out = (trace.out - bias)[:, :, None] * alpha + bias
    entering: Tensor = trace.mid[:, :, None] + out
    return entering.flatten(1, 2)


def _score(block: Block, trace: Trace, path: Path, pulled: Tensor, factor: Tensor) -> Tensor:
    """a ⊙ Σ_k w_k ∂P/∂a: (S, J, d_ff).

    `pulled` (S, J, m + 1, d_model) is ∂log P/∂entry without its factor (S, J, m + 1).
    """
    weights = factor * like(path.quadrature.weights, factor)
    weighted = pulled.to(factor.dtype) * weights.to(pulled.device)[..., None]
    if path.unit is Unit.GATE:
        return _gate_scores(block, trace, path, weighted)
    g = weighted.sum(2)  # (S, J, d_model)
    return trace.hidden.to(g.dtype) * _times(g, block.down_weight)


def _gate_scores(block: Block, trace: Trace, path: Path, weighted: Tensor) -> Tensor:
    """gate ⊙ Σ_k (W_downᵀ g_k) ⊙ up ⊙ act′(α_k gate): (S, J, d_ff)."""
    alpha = like(path.quadrature.nodes, trace.gate)[:, None]
    with torch.enable_grad():
        scaled = (trace.gate[:, :, None] * alpha).requires_grad_()
        slope = torch.autograd.grad(block.activation(scaled).sum(), scaled)[0]
    spread = _times(weighted, block.down_weight)  # (S, J, m + 1, d_ff)
    total = (spread * slope.to(spread.dtype)).sum(2)
    return trace.gate.to(total.dtype) * total * trace.up.to(total.dtype)


def _times(g: Tensor, weight: Tensor) -> Tensor:
    """g @ weight in the weight's dtype, g brought to unit size so that none of it underflows."""
    size = g.abs().amax(-1, keepdim=True).clamp_min(torch.finfo(g.dtype).tiny)
    return ((g / size).to(weight.dtype) @ weight).to(g.dtype) * size
