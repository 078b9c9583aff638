"""An edit or a composition, watched by its feed while it runs.

While it is in line, of which no event tells, and where no feed gets through, it is looked at about
every second.
"""

from collections.abc import Iterator
from typing import Protocol, TypeVar, cast

from contract.wire.checkpoints import CheckpointView, CompositionView
from contract.wire.events import EventType
from contract.wire.lifecycle import FINAL, EditStatus, Phase
from contract.wire.views import EditEvent, EditView, Progress
from palimpsest.errors import UnexpectedAnswerError, UnreachableError

AnyJob = EditView | CheckpointView | CompositionView
Job = TypeVar("Job", bound=AnyJob, covariant=True)
LOOK_S = 1


class Jobs(Protocol[Job]):
    """What watching asks of a client: its `edits`, or its `checkpoints`."""

    def follow(self, job_id: str, /, *, every_s: int) -> Iterator[Job]: ...
    def events(self, job_id: str, /, *, after: str | None = None) -> Iterator[EditEvent]: ...
    def history(self, job_id: str, /) -> tuple[EditEvent, ...]: ...


def watched(jobs: Jobs[Job], job_id: str) -> Iterator[EditEvent | Job]:
    """Each event once, and the job as it stands between them; the last is the job, final."""
    heard: list[str] = []
    has_feed = True
    for job in jobs.follow(job_id, every_s=LOOK_S):
        for happened in jobs.history(job_id):
            if happened.id not in heard:
                heard.append(happened.id)
                yield happened
        yield job
        if has_feed and job.status not in (EditStatus.QUEUED, *FINAL):
            try:
                for happened in jobs.events(job_id, after=heard[-1] if heard else None):
                    heard.append(happened.id)
                    yield happened
            except (UnexpectedAnswerError, UnreachableError):
                has_feed = False


def shown(jobs: Jobs[Job], job_id: str) -> Iterator[Job]:
    """The job as it stands, anew with each phase and progress that an event tells."""
    job: Job | None = None
    for seen in watched(jobs, job_id):
        if not isinstance(seen, EditEvent):
            job = seen
        elif job is not None:
            job = cast(Job, job.model_copy(update=_told(seen)))  # its own class, says pydantic
        if job is not None:
            yield job


def _told(happened: EditEvent) -> dict[str, object]:
    """What an event changes of the job that it is of."""
    match happened.type:
        case EventType.PHASE:
            phase = Phase(happened.data["phase"])
            return {"status": EditStatus.RUNNING, "phase": phase, "progress": None}
        case EventType.PROGRESS:
            return {"progress": Progress.model_validate(happened.data)}
    return {}
