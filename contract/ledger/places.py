"""Where unfinished edits stand among the others, read for many at once."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from redis import Redis

from contract.ledger import names
from contract.ledger.presence import Presence
from contract.ledger.queue import EditQueue
from contract.ledger.record import EditRecord
from contract.wire.lifecycle import EditStatus, QueuedReason
from contract.wire.serving import WorkerView
from contract.wire.views import QueueView


class Place(NamedTuple):
    """Where an edit stands, and why it waits; neither for what has ended."""

    queue: QueueView | None
    reason: QueuedReason | None


class Places:
    """Finds the places of records; one round trip tells those of all."""

    def __init__(
        self, redis: Redis, presence: Presence, *, queue_of: Callable[[str], EditQueue]
    ) -> None:
        self._redis = redis
        self._presence = presence
        self._queue_of = queue_of

    def of(self, records: Sequence[EditRecord]) -> list[Place]:
        """The place of each."""
        unfinished = [record for record in records if not record.status.is_final]
        workers = self._presence.workers() if unfinished else ()
        before = self._before(unfinished) if unfinished else {}
        return [_place(record, workers, before.get(record.id)) for record in records]

    def at(self, record: EditRecord, *, before: int) -> Place:
        """The place of an edit, of which is known how many come before it."""
        return _place(record, self._presence.workers(), before)

    def _before(self, records: Sequence[EditRecord]) -> dict[str, int]:
        """How many edits come before each: those in line, and the one in work."""
        ends = self._nearer_ends(records)
        with self._redis.pipeline(transaction=False) as pipe:
            for record, end in zip(records, ends, strict=True):
                pipe.zcard(names.index(model=record.model, status=EditStatus.RUNNING))
                pipe.lpos(self._queue_of(record.model).key, record.id, rank=end)
            found = pipe.execute()
        return {
            record.id: (in_line or 0) + min(running, 1) if record.status is EditStatus.QUEUED else 0
            for record, running, in_line in zip(records, found[::2], found[1::2], strict=True)
        }

    def _nearer_ends(self, records: Sequence[EditRecord]) -> list[int]:
        """From where a line is searched, 1 its head and -1 its end: ids sort about as edits came,
        so that the newest are found as fast as the oldest."""
        with self._redis.pipeline(transaction=False) as pipe:
            for record in records:
                waiting = names.index(model=record.model, status=EditStatus.QUEUED)
                pipe.zrank(waiting, record.id)
                pipe.zcard(waiting)
            found = pipe.execute()
        ranks = zip(found[::2], found[1::2], strict=True)
        return [1 if (rank or 0) < waiting / 2 else -1 for rank, waiting in ranks]


def _place(record: EditRecord, workers: Sequence[WorkerView], before: int | None) -> Place:
    if before is None:
        return Place(None, None)
    mine = [worker for worker in workers if worker.serves(record.model)]
    reason = record.queued_reason if mine else QueuedReason.NO_WORKER
    waits = record.status is EditStatus.QUEUED
    return Place(_queue(before, mine), reason if waits else None)


def _queue(before: int, workers: Sequence[WorkerView]) -> QueueView:
    means = [worker.mean_edit_s for worker in workers if worker.mean_edit_s is not None]
    if not means:
        return QueueView(position=before, eta_s=None)
    mean_s = sum(means) / len(means)
    return QueueView(position=before, eta_s=round((before + 1) * mean_s / len(means), 3))
