"""Along which activations a layer is written: what the fact feels, and other text hardly.

In each chosen layer the columns of the chosen units change by B·A. The rows of A are fixed by the
activations k that the fact's prompts cause at its answer tokens, and by C, the second moment of
what the same units do in reference text, x:

    A = (K C⁻¹ Kᵀ)⁻¹ K C⁻¹ ,   C = E w x xᵀ

so that A k_j = e_j, and E w|A x|² is the smallest: with w = 1 the solution of ROME's constrained
least squares (Meng et al., 2022, eq. 2) within the chosen units, for several keys at once. A text
is harmed where it feels much of a write, not by a faint touch: w follows |A x|² over some rounds,
so that it is the fourth power that gets small. Protected prompts count many times in C. Where words
have two spellings, C also counts how the fact's keys differ by prompt and spelling, which is the
within-class scatter of a linear discriminant (Fisher, 1936): A leans on what they have in common,
and so on what other phrasings have as well.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from contract.memory import HELD_TOKENS_PER_TEXT, parted
from worker.kn.methods.means import mean_by_token
from worker.kn.methods.recipe import Task
from worker.kn.methods.references import Activations, activations
from worker.kn.model.recording import record
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Batch, Statement

RIDGE = 0.03  # of the mean diagonal of C at w = 1, added to it
ROUNDS = 3  # of weighing
ROUNDS_FROM_NEAR = 2  # where A is known from nearly the same texts
FAINTEST = 0.1  # what w is at least, where its root is 1 in the mean
GRAM_RIDGE = 0.01
PROTECTED_WEIGHT = 10.0  # what the protected prompts count in C, where all references count 1
TINY = 1e-12  # in place of a zero to divide by, where nothing speaks or is felt


@dataclass(frozen=True, slots=True)
class Direction:
    """One layer's A, and how far a step along it may go."""

    layer: int
    units: list[int]
    A: Tensor  # (J, k), float32
    length: float  # of the residual stream where the fact is answered
    clearness: float  # √(k C⁻¹ k): how far the fact stands out from reference text

    def felt(self, rows: Tensor) -> Tensor:
        """How much of the write each row (rows, k) of activations feels, at most: (rows,)."""
        return (rows @ self.A.T).abs().amax(-1)


class Felt(NamedTuple):
    """A text by its number, and the position of it that feels the write most."""

    text: int
    position: int


@dataclass(frozen=True, slots=True)
class Fold:
    """A part of the references, and directions that were fitted to the others."""

    directions: list[Direction]
    felt: list[Felt]  # the most felt first


@dataclass(frozen=True, slots=True)
class Whitened:
    """The directions of a write, and how other text feels it."""

    directions: list[Direction]
    folds: list[Fold]
    said: list[Felt]  # numbered on from the references
    alike: float | None  # what a prompt feels of a write to another alone, at least; None of one


def whitened(
    task: Task, prompts: Sequence[Sequence[Statement]], units: Mapping[int, list[int]]
) -> Whitened:
    """The direction of every chosen layer, and the references in parts. Each of the fact's prompts
    is there in all its spellings, the given one first.

    Reference texts feel a write that was fitted to them several times less than other text does. So
    each part is held along directions that were fitted to the other parts.
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
    alike = _alike(fact.each, lambda one: solved(one, protected, [], whole))
    parts = parted(n)
    apart = [whole]
    if len(parts) > 1:
        apart = [solved(fact.keys, fixed, part, whole) for part in parts]
    return Whitened(
        whole,
        [
            Fold(directions, _most_felt(directions, reference, among=part))
            for part, directions in zip(parts, apart, strict=True)
        ],
        _most_felt(whole, reference, among=range(n, n + len(task.said))),
        alike,
    )


class _Heard(NamedTuple):
    """What is found at a prompt's answer tokens, by layer."""

    keys: dict[int, Tensor]  # (J, k), float32: the units' activations
    lengths: dict[int, Tensor]  # (): of the residual stream, in the mean

    @classmethod
    def of(
        cls, resident: Resident, statement: Statement, units: Mapping[int, list[int]]
    ) -> "_Heard":
        traces = record(resident, Batch.of([statement], resident.device)).traces
        return cls(
            {layer: traces[layer].hidden[0][:, chosen].float() for layer, chosen in units.items()},
            {layer: traces[layer].mid.float().norm(dim=-1).mean() for layer in units},
        )


class _Fact(NamedTuple):
    """What is found at the answer tokens of all its prompts, by layer."""

    each: list[dict[int, Tensor]]  # the keys (J, k) of each prompt, the mean over its spellings
    keys: dict[int, Tensor]  # the mean over prompts
    lengths: dict[int, float]  # of the residual stream after the first prompt, as it is given
    scattered: dict[int, Tensor]  # (n, k), see `_scattered`

    @classmethod
    def of(
        cls,
        resident: Resident,
        prompts: Sequence[Sequence[Statement]],
        units: Mapping[int, list[int]],
    ) -> "_Fact":
        heard = [[_Heard.of(resident, one, units) for one in spelled] for spelled in prompts]
        each = [_mean(spellings) for spellings in heard]
        return cls(
            each,
            {layer: mean_by_token([one[layer] for one in each]) for layer in units},
            {layer: length.item() for layer, length in heard[0][0].lengths.items()},
            _scattered(heard),
        )


def _mean(heard: Sequence[_Heard]) -> dict[int, Tensor]:
    """The mean of the keys, by layer."""
    return {layer: mean_by_token([one.keys[layer] for one in heard]) for layer in heard[0].keys}


def _scattered(heard: Sequence[Sequence[_Heard]]) -> dict[int, Tensor]:
    """By layer how the keys of all prompts, in all spellings, differ from their mean, token by
    token: rows (n, k) of which Σ d dᵀ is their scatter. None where no prompt has two spellings."""
    all_ = [one for spellings in heard for one in spellings]
    if len(all_) == len(heard):
        return {}
    return {
        layer: torch.cat([one.keys[layer] - mean[: len(one.keys[layer])] for one in all_])
        / sqrt(len(all_) - 1)
        for layer, mean in _mean(all_).items()
    }


def _joined(*rows: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """Rows (n, k) of several, by layer."""
    layers = {layer for each in rows for layer in each}
    return {layer: torch.cat([each[layer] for each in rows if layer in each]) for layer in layers}


def _alike(
    keys: Sequence[Mapping[int, Tensor]],
    fitted: Callable[[Mapping[int, Tensor]], Sequence[Direction]],
) -> float | None:
    """The least that any prompt feels, where its answer begins, of a write to another alone."""
    if len(keys) < 2:
        return None
    felt = []
    for one in keys:
        directions = fitted(one)
        felt += [_felt(directions, other) for other in keys if other is not one]
    return min(felt)


def _felt(directions: Sequence[Direction], keys: Mapping[int, Tensor]) -> float:
    """How much of a write such keys feel where the answer begins: the mean over layers, each
    counted by how far a step goes in it."""
    reach = torch.tensor([d.length * d.clearness for d in directions])
    felt = torch.tensor([(d.A[0] @ keys[d.layer][0]).item() for d in directions])
    mean: float = ((reach * felt).sum() / reach.sum().clamp_min(TINY)).item()
    return mean


def _protected(task: Task, units: Mapping[int, list[int]]) -> dict[int, Tensor]:
    """The units' activations where the protected prompts are answered, times the root of what each
    counts: (prompts, k) by layer."""
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
    """A for the keys K (J, k) against reference rows (rows, k), of which those at 1 are counted,
    and `fixed` ones (n, k), which all are; sooner found where one `near` it is known."""
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
    felt = direction.felt(rows)
    mean = (felt * counted).sum() / counted.sum()
    return (felt / mean.clamp_min(TINY) + FAINTEST).square() * counted


def _solved(layer: int, units: list[int], K: Tensor, C: Tensor, *, length: float) -> Direction:
    white = torch.linalg.solve(C, K.T).T  # K C⁻¹
    gram = K @ white.T  # (J, J)
    clearness = gram.diagonal().mean().clamp_min(0).sqrt().item()
    # Keys of neighbouring tokens may be almost parallel: a little more keeps the inverse in bounds.
    # No unit may speak at a token: nothing is written there.
    gram.diagonal().mul_(1 + GRAM_RIDGE).add_(gram.diagonal() == 0)
    return Direction(layer, units, torch.linalg.solve(gram, white), length, clearness)


def _most_felt(
    directions: Sequence[Direction], reference: Activations, *, among: range
) -> list[Felt]:
    """The texts `among` all, by the most that a position feels in all layers together, of those
    that are held."""
    felt = torch.zeros(len(reference.texts))
    for direction in directions:
        felt += direction.felt(reference.rows[direction.layer]).cpu()
    by_text = [felt[reference.texts == text][:HELD_TOKENS_PER_TEXT] for text in among]
    strongest = sorted(range(len(among)), key=lambda i: -by_text[i].max().item())
    return [Felt(among[i], int(by_text[i].argmax())) for i in strongest]
