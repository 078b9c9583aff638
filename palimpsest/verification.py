"""Whether a checkpoint comes out again when it is made again."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from contract.wire.checkpoints import CheckpointView
from contract.wire.composition import Composition
from contract.wire.lifecycle import Outcome
from contract.wire.views import EditResult

LEAST_OVERLAP = 0.9
"""Of the neurons, where other sums in another order may tip a few over the threshold."""


class Basis(StrEnum):
    """By what two checkpoints are compared."""

    BYTES = "bytes"
    NEURONS_AND_OUTCOME = "neurons_and_outcome"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A checkpoint beside the one that was made of the same request again."""

    checkpoint_id: str
    again_id: str
    verified: bool
    basis: Basis
    differences: tuple[str, ...]
    """In what the two were made differently; without any, the bytes have to be the same."""
    files: dict[str, bool]
    """Whether each file is the same, byte for byte."""
    neuron_overlap: float | None
    """Shared neurons / all neurons of both (Jaccard); None for a composition."""
    outcomes: tuple[Outcome, ...]
    again_outcomes: tuple[Outcome, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(checkpoint: CheckpointView, again: CheckpointView) -> Verification:
    """Byte for byte where both were made by the same device, software and plan; else by neurons
    and outcome."""
    differences = _differences(checkpoint, again)
    files = _files(checkpoint, again)
    same_bytes = all(files.values())
    overlap = _overlap(checkpoint.result, again.result)
    outcomes = _outcomes(checkpoint.result), _outcomes(again.result)
    by_bytes = same_bytes or not differences
    alike = outcomes[0] == outcomes[1] and (overlap is None or overlap >= LEAST_OVERLAP)
    return Verification(
        checkpoint_id=checkpoint.id,
        again_id=again.id,
        verified=same_bytes if by_bytes else alike,
        basis=Basis.BYTES if by_bytes else Basis.NEURONS_AND_OUTCOME,
        differences=differences,
        files=files,
        neuron_overlap=overlap,
        outcomes=outcomes[0],
        again_outcomes=outcomes[1],
    )


def _differences(one: CheckpointView, other: CheckpointView) -> tuple[str, ...]:
    names = ("base_digest", "code_version")
    found = [name for name in names if getattr(one, name) != getattr(other, name)]
    mine, theirs = (c.provenance.model_dump() if c.provenance else {} for c in (one, other))
    found += sorted(n for n in mine.keys() | theirs.keys() if mine.get(n) != theirs.get(n))
    plans = [c.admission.applied if c.admission else None for c in (one, other)]
    return (*found, *(["plan"] if plans[0] != plans[1] else []))


def _files(one: CheckpointView, other: CheckpointView) -> dict[str, bool]:
    mine, theirs = ({file.path: file.sha256 for file in c.files} for c in (one, other))
    return {
        path: mine.get(path) == theirs.get(path) for path in sorted(mine.keys() | theirs.keys())
    }


def _overlap(one: EditResult | Composition, other: EditResult | Composition) -> float | None:
    if isinstance(one, Composition) or isinstance(other, Composition):
        return None
    mine, theirs = ({(n.layer, n.unit) for n in result.neurons} for result in (one, other))
    return len(mine & theirs) / len(mine | theirs) if mine | theirs else 1.0


def _outcomes(result: EditResult | Composition) -> tuple[Outcome, ...]:
    if isinstance(result, Composition):
        return tuple(retest.outcome for retest in result.retests)
    return (result.outcome,)
