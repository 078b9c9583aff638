"""Several edits in one model, each of them asked again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from worker.kn.evaluate.measurement import Asked, Measurement
from worker.kn.evaluate.own_answer import OwnAnswer
from worker.kn.evaluate.verdict import holds
from worker.kn.model.resident import Resident
from worker.kn.request import EditRequest
from worker.kn.stopwatch import Progress
from worker.kn.write.adapter import Adapter
from worker.kn.write.weights import edited


@dataclass(frozen=True, slots=True)
class Retest:
    """One edit of several, asked of the model that has them all."""

    held: bool
    measured: Measurement

    def as_json(self) -> dict[str, Any]:
        """The retest under the service's names."""
        return {
            "outcome": "held" if self.held else "not_held",
            "before": self.measured.before[0].text,
            "after": self.measured.after[0].text,
            "answers": self.measured.answers(),
            "metrics": asdict(self.measured.metrics),
        }


@dataclass(frozen=True, slots=True)
class Composition:
    """One adapter for several edits, and what became of each."""

    adapter: Adapter
    retests: tuple[Retest, ...]

    @property
    def measured(self) -> tuple[Measurement, ...]:
        return tuple(retest.measured for retest in self.retests)

    def as_json(self) -> list[dict[str, Any]]:
        return [retest.as_json() for retest in self.retests]


def compose(
    resident: Resident, adapter: Adapter, requests: Sequence[EditRequest], *, progress: Progress
) -> Composition:
    """Ask all that each request wants asked, of the pristine model and of the one with the adapter.

    Raises `NoChangeError` and `NonFiniteError`.
    """
    progress(0, len(requests))
    asked = [Asked.of(resident, request) for request in requests]
    retests = []
    with edited(resident, adapter):
        for request, first in zip(requests, asked, strict=True):
            measured = first.again(resident)
            own = OwnAnswer.of(resident, request, measured.before[0])
            retests.append(Retest(holds(request, own.ids, measured.after[0]), measured))
            progress(len(retests), len(requests))
    return Composition(adapter, tuple(retests))
