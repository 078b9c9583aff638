"""The directions along which a layer is written: the fact responds fully, other text hardly.

In each chosen layer the columns of the chosen units change by B·A. A is determined by the
activations k that the fact's prompts cause at its answer tokens (the rows of K), and by C, the
second moment of the same units' activations x on reference text:

    A = (K C⁻¹ Kᵀ)⁻¹ K C⁻¹ ,   C = E w x xᵀ

so that A k_j = e_j, and E w|A x|² is minimal: with w = 1 this is the solution of ROME's constrained
least squares (Meng et al., 2022, eq. 2) within the chosen units, for several keys at once. A strong
response to a write harms a text, a faint one does not: w follows |A x|² over several rounds, which
minimises the fourth power instead. Protected prompts count many times in C. Where words have two
spellings, C also contains the scatter of the fact's keys over prompts and spellings, the
within-class scatter of a linear discriminant (Fisher, 1936): A then relies on what they have in
common, and so on what other phrasings share.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from contract.memory import PRESERVED_TOKENS_PER_TEXT, parted
from worker.kn.methods.means import mean_by_token
from worker.kn.methods.recipe import Task
from worker.kn.methods.references import Activations, activations
from worker.kn.model.recording import record
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Batch, Statement

RIDGE = 0.03  # added to C's diagonal, as a share of its mean at w = 1
ROUNDS = 3  # of reweighting
ROUNDS_FROM_NEAR = 2  # where A is known from nearly the same texts
FAINTEST = 0.1  # added to √w, whose mean without it is 1
GRAM_RIDGE = 0.01
PROTECTED_WEIGHT = 10.0  # of the protected prompts in C, where all references have weight 1
TINY = 1e-12  # the least divisor, where no unit is active or no text responds


@dataclass(frozen=True, slots=True)
class Direction:
    """One layer's A, and how far a step along it may go."""

    layer: int
    units: list[int]
    A: Tensor  # (J, k), float32
    length: float  # of the residual stream where the fact is answered
    mahalanobis: float  # √(k C⁻¹ k): the distance of the fact's key from reference text

    def response(self, rows: Tensor) -> Tensor:
        """max_j |A x|_j, the response of each row x (rows, k) of activations: (rows,)."""
        return (rows @ self.A.T).abs().amax(-1)


class Response(NamedTuple):
    """A text by its number, and its position that responds to the write most."""

    text: int
    position: int


@dataclass(frozen=True, slots=True)
class Fold:
    """A part of the references, and directions that were fitted to the other parts."""

    directions: list[Direction]
    strongest: list[Response]  # in descending order


@dataclass(frozen=True, slots=True)
class Whitened:
    """The directions of a write, and how other text responds to it."""

    directions: list[Direction]
    folds: list[Fold]
    sayings: list[Response]  # of earlier edits' texts, numbered on from the references
    similarity: float | None  # the least response of a prompt to a write to another; None of one


def whitened(
    task: Task, prompts: Sequence[Sequence[Statement]], units: Mapping[int, list[int]]
) -> Whitened:
    """The direction of every chosen layer, and the references in parts. `prompts` has each of the
    fact's prompts in all its spellings, the given one first.

    Reference texts respond to a write that was fitted to them several times less than other text.
    So each part is preserved along directions that were fitted to the other parts.
    """
    fact = _Fact.of(task.resident, prompts, units)
    reference = activations(task.resident, [*task.references, *task.said], units)
    protected = _protected(task, units)
    fixed = _joined(protected, fact.scattered)

    def solved(
        keys: Mapping[int, Tensor],
        fixed: Mapping[int, Tensor],
        without: Sequence[int],
        near: Sequence[Direction | None],
    ) -> list[Direction]:
        counted = ~torch.isin(reference.texts, torch.tensor(without, dtype=torch.long))
        return [
            _direction(
                layer,
                chosen,
                keys[layer],
                reference.rows[layer],
                fixed.get(layer),
                counted=counted.to(reference.rows[layer]),
                length=fact.lengths[layer],
                near=known,
            )
            for (layer, chosen), known in zip(units.items(), near, strict=True)
        ]

    n = len(task.references)
    whole = solved(fact.keys, fixed, [], [None] * len(units))
    similarity = _similarity(fact.each, lambda one: solved(one, protected, [], whole))
    parts = parted(n)
    apart = [whole]
    if len(parts) > 1:
        apart = [solved(fact.keys, fixed, part, whole) for part in parts]
    return Whitened(
        whole,
        [
            Fold(directions, _strongest(directions, reference, among=part))
            for part, directions in zip(parts, apart, strict=True)
        ],
        _strongest(whole, reference, among=range(n, n + len(task.said))),
        similarity,
    )


class _Recorded(NamedTuple):
    """What is recorded at a prompt's answer tokens, by layer."""

    keys: dict[int, Tensor]  # (J, k), float32: the units' activations
    lengths: dict[int, Tensor]  # (): of the residual stream, the mean over tokens

    @classmethod
    def of(
        cls, resident: Resident, statement: Statement, units: Mapping[int, list[int]]
    ) -> "_Recorded":
        traces = record(resident, Batch.of([statement], resident.device)).traces
        return cls(
            {layer: traces[layer].hidden[0][:, chosen].float() for layer, chosen in units.items()},
            {layer: traces[layer].mid.float().norm(dim=-1).mean() for layer in units},
        )


class _Fact(NamedTuple):
    """What is recorded at the answer tokens of all its prompts, by layer."""

    each: list[dict[int, Tensor]]  # the keys (J, k) of each prompt, the mean over its spellings
    keys: dict[int, Tensor]  # the mean over prompts
    # Of the residual stream after the first prompt, in its given spelling.
    lengths: dict[int, float]
    scattered: dict[int, Tensor]  # (n, k), see `_scattered`

    @classmethod
    def of(
        cls,
        resident: Resident,
        prompts: Sequence[Sequence[Statement]],
        units: Mapping[int, list[int]],
    ) -> "_Fact":
        recorded = [[_Recorded.of(resident, one, units) for one in spelled] for spelled in prompts]
        each = [_mean(spellings) for spellings in recorded]
        return cls(
            each,
            {layer: mean_by_token([one[layer] for one in each]) for layer in units},
            {layer: length.item() for layer, length in recorded[0][0].lengths.items()},
            _scattered(recorded),
        )


def _mean(recorded: Sequence[_Recorded]) -> dict[int, Tensor]:
    """The mean of the keys, by layer."""
    return {
        layer: mean_by_token([one.keys[layer] for one in recorded]) for layer in recorded[0].keys
    }


def _scattered(recorded: Sequence[Sequence[_Recorded]]) -> dict[int, Tensor]:
    """By layer, the deviations of all prompts' keys, in all spellings, from their mean by token:
    rows d (n, k) whose Σ d dᵀ is the scatter. Empty where no prompt has two spellings."""
    all_ = [one for spellings in recorded for one in spellings]
    if len(all_) == len(recorded):
        return {}
    return {
        layer: torch.cat([one.keys[layer] - mean[: len(one.keys[layer])] for one in all_])
        / sqrt(len(all_) - 1)
        for layer, mean in _mean(all_).items()
    }


def _joined(*rows: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """All rows (n, k), concatenated by layer."""
    layers = {layer for each in rows for layer in each}
    return {layer: torch.cat([each[layer] for each in rows if layer in each]) for layer in layers}


def _similarity(
    keys: Sequence[Mapping[int, Tensor]],
    fitted: Callable[[Mapping[int, Tensor]], Sequence[Direction]],
) -> float | None:
    """The least response of any prompt, where its answer begins, to a write to another alone."""
    if len(keys) < 2:
        return None
    responses = []
    for one in keys:
        directions = fitted(one)
        responses += [_response(directions, other) for other in keys if other is not one]
    return min(responses)


def _response(directions: Sequence[Direction], keys: Mapping[int, Tensor]) -> float:
    """The response of keys where the answer begins: the mean over layers, each weighted by the
    length of a step in it."""
    reach = torch.tensor([d.length * d.mahalanobis for d in directions])
    responses = torch.tensor([(d.A[0] @ keys[d.layer][0]).item() for d in directions])
    mean: float = ((reach * responses).sum() / reach.sum().clamp_min(TINY)).item()
    return mean


def _protected(task: Task, units: Mapping[int, list[int]]) -> dict[int, Tensor]:
    """The units' activations at the last token of each protected prompt, times the root of its
    weight: (prompts, k) by layer."""
    prompts = [task.resident.encoder.prompt_ids(p) for p in task.request.protect_prompts]
    if not prompts:
        return {}
    found = activations(task.resident, prompts, units)
    last = torch.cat([found.texts[1:] != found.texts[:-1], torch.tensor([True])])
    weight = sqrt(PROTECTED_WEIGHT / len(prompts))
    return {layer: weight * rows[last.to(rows.device)] for layer, rows in found.rows.items()}


def _direction(
    layer: int,
    units: list[int],
    K: Tensor,
    rows: Tensor,
    fixed: Tensor | None,
    *,
    counted: Tensor,
    length: float,
    near: Direction | None = None,
) -> Direction:
    """A for the keys K (J, k) against the reference rows (rows, k) that are `counted` (0 or 1), and
    all `fixed` rows (n, k); takes fewer rounds from a direction `near` it."""
    power = (rows.square().mean(-1) * counted).sum() / counted.sum()
    constant = RIDGE * power.clamp_min(TINY) * torch.eye(len(units)).to(rows)
    if fixed is not None:
        constant += fixed.T @ fixed

    def solved(weights: Tensor) -> Direction:
        C = (rows * weights[:, None]).T @ rows / weights.sum() + constant
        return _solved(layer, units, K, C, length=length)

    direction = near or solved(counted)
    for _ in range(ROUNDS_FROM_NEAR if near else ROUNDS):
        direction = solved(_weights(direction, rows, counted))
    return direction


def _weights(direction: Direction, rows: Tensor, counted: Tensor) -> Tensor:
    response = direction.response(rows)
    mean = (response * counted).sum() / counted.sum()
    return (response / mean.clamp_min(TINY) + FAINTEST).square() * counted


def _solved(layer: int, units: list[int], K: Tensor, C: Tensor, *, length: float) -> Direction:
    white = torch.linalg.solve(C, K.T).T  # K C⁻¹
    gram = K @ white.T  # (J, J)
    mahalanobis = gram.diagonal().mean().clamp_min(0).sqrt().item()
    # Keys of neighbouring tokens may be almost parallel: the ridge keeps the inverse bounded.
    # If no unit is active at a token, nothing is written there.
    gram.diagonal().mul_(1 + GRAM_RIDGE).add_(gram.diagonal() == 0)
    return Direction(layer, units, torch.linalg.solve(gram, white), length, mahalanobis)


def _strongest(
    directions: Sequence[Direction], reference: Activations, *, among: range
) -> list[Response]:
    """The texts numbered `among`, by the largest response of a position, summed over layers, within
    the tokens that are preserved."""
    response = torch.zeros(len(reference.texts))
    for direction in directions:
        response += direction.response(reference.rows[direction.layer]).cpu()
    by_text = [response[reference.texts == text][:PRESERVED_TOKENS_PER_TEXT] for text in among]
    strongest = sorted(range(len(among)), key=lambda i: -by_text[i].max().item())
    return [Response(among[i], int(by_text[i].argmax())) for i in strongest]
