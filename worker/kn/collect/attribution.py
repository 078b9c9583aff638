"""Integrated gradients of an answer's probability, for every neuron at once.

    IG(l, i) = a_i · Σ_k w_k ∂P(answer | α_k a)/∂a_i        (Dai et al., ACL 2022)

A neuron's gradient is the product of its value vector with the gradient g where the row enters,
∂P/∂a_i = W_down[:, i] · g, so the steps are summed in d_model before the projection onto d_ff.
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
from worker.kn.collect.rows.passes import forward_rows
from worker.kn.model.layout import Block
from worker.kn.model.recording import Recording, Trace, record
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Batch, Statement, alike
from worker.kn.stopwatch import Progress


class Unit(Enum):
    """What is scaled from 0 to its own value."""

    HIDDEN = "hidden"  # the input of down_proj
    GATE = "gate"  # gate_proj's output, before the activation function, as EasyEdit has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """How attribution is integrated, and how many layers share a pass."""

    quadrature: Quadrature
    unit: Unit = Unit.HIDDEN
    layers_per_pass: int
    next_layers: Callable[[], int] | None = None  # called before each pass: the most it may take

    def blocks(self, n_layer: int) -> Iterator[range]:
        """The layers of each pass, in order."""
        first = 0
        while first < n_layer:
            size = self.layers_per_pass
            if self.next_layers is not None:
                size = min(size, self.next_layers())
            yield range(first, min(first + size, n_layer))
            first += size


@dataclass(frozen=True, slots=True)
class Attribution:
    """Scores of all neurons for each of J answer tokens; on the CPU."""

    scores: Tensor  # (J, n_layer, d_ff), at least float32
    lost: Tensor  # (J, n_layer): P(answer | a) − P(answer | 0), all units of one layer at 0

    @property
    def incompleteness(self) -> float:
        """max_l |Σ_i IG(l, i) − ΔP_l| / max_l |ΔP_l|, at the answer token where it is largest.

        Integrated gradients sum to the change along the path (completeness: Sundararajan et al.,
        ICML 2017); the difference is the error of the quadrature and of the dtype.
        """
        missing = (self.scores.sum(-1) - self.lost).abs().amax(-1)  # (J,)
        most = self.lost.abs().amax(-1).clamp_min(torch.finfo(self.lost.dtype).tiny)
        return (missing / most).max().item()


def attribute(
    resident: Resident, statements: Sequence[Statement], path: Path, *, progress: Progress
) -> list[Attribution]:
    """For each statement, the attribution of every neuron for each answer token, teacher forced."""
    path = replace(path, quadrature=path.quadrature.with_ends)
    groups = list(alike(statements, lambda s: len(s.answers), most=STATEMENTS_PER_PASS))
    n_layer = len(resident.blocks)
    total = len(groups) * n_layer
    found: dict[int, Attribution] = {}
    for n_group, indexes in enumerate(groups):

        def begin(layer: int, before: int = n_group * n_layer) -> None:
            progress(before + layer, total)

        batch = Batch.of([statements[i] for i in indexes], resident.device)
        found |= zip(indexes, _attribute_batch(resident, batch, path, begin=begin), strict=True)
    progress(total, total)
    return [found[i] for i in range(len(statements))]


def _attribute_batch(
    resident: Resident, batch: Batch, path: Path, *, begin: Callable[[int], None]
) -> Iterator[Attribution]:
    """The attribution of each statement; the recording is freed before the next batch."""
    recording = record(resident, batch)
    layers: list[Tensor] = []
    lost: list[Tensor] = []
    for block in path.blocks(len(resident.blocks)):
        begin(block.start)
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
    """For each of `layers`, the scores (S, J, d_ff) and the layer's change of P (S, J)."""
    batch, traces, blocks = recording.batch, recording.traces, resident.blocks
    # The row at α = 1 is the same for all layers.
    order = Order(layers, batch.positions.shape[1], len(path.quadrature.nodes) - 1)

    def entering(layer: int) -> Tensor:
        return _entering(blocks[layer], traces[layer], path)

    rows = forward_rows(resident, recording, order, entering)
    found = answer_gradient(resident.head, rows.top, order.spread(batch.answers))
    scores = {}
    for layer, grad in rows.backward(found.direction):
        scores[layer] = _score(
            blocks[layer],
            traces[layer],
            path,
            order.at(layer, grad),
            order.at(layer, found.factor),
        )
    return [(scores[layer], _change(order.at(layer, found.p))) for layer in layers]


def _change(p: Tensor) -> Tensor:
    """The change of P (S, J, m + 1) from α = 0 to α = 1."""
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


def _score(block: Block, trace: Trace, path: Path, grad: Tensor, factor: Tensor) -> Tensor:
    """a ⊙ Σ_k w_k ∂P/∂a: (S, J, d_ff).

    `grad` (S, J, m + 1, d_model) is the direction of the gradient where rows enter, `factor`
    (S, J, m + 1) its scale, see `AnswerGradient`.
    """
    weights = factor * like(path.quadrature.weights, factor)
    weighted = grad.to(factor.dtype) * weights.to(grad.device)[..., None]
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
    """g @ weight in the weight's dtype, with g scaled to unit size so that nothing underflows."""
    size = g.abs().amax(-1, keepdim=True).clamp_min(torch.finfo(g.dtype).tiny)
    return ((g / size).to(weight.dtype) @ weight).to(g.dtype) * size
