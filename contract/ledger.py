"""The ledger: every edit's record, index and events in Redis."""

import json
import time
from collections.abc import Callable
from datetime import datetime

from redis import Redis

from contract import names, scripts
from contract.checkpoints import CompositionView
from contract.ids import EDIT_PREFIX
from contract.ledger_errors import SchemaMismatchError
from contract.lifecycle import EditStatus, QueuedReason
from contract.origin import Origin
from contract.presence import Presence
from contract.queue import EditQueue
from contract.record import EditRecord, Request, rfc3339
from contract.submission import Submission, Submissions
from contract.views import Admission, EditEvent, EditPage, EditView, QueueView

Clock = Callable[[], float]
NOBODY = Origin()


class Ledger:
    """What the API does with edits; `contract.attempts` is the worker's side."""

    def __init__(
        self,
        redis: Redis,
        *,
        job_timeout_s: int = 3600,
        max_queued: int = 20_000,
        idempotency_ttl_s: int = 86_400,
        clock: Clock = time.time,
    ) -> None:
        self.redis = redis
        self.presence = Presence(redis)
        self._cancel = redis.register_script(scripts.CANCEL)
        self._job_timeout_s = job_timeout_s
        self._queues: dict[str, EditQueue] = {}
        self._submissions = Submissions(
            redis, max_queued=max_queued, idempotency_ttl_s=idempotency_ttl_s
        )
        self._clock = clock

    def check_schema(self) -> None:
        """Claim an empty Redis; raises `SchemaMismatchError` on another version's ledger."""
        mine = str(names.SCHEMA_VERSION)
        self.redis.set(names.SCHEMA, mine, nx=True)
        found = self.redis.get(names.SCHEMA)
        if found is not None and found.decode() != mine:
            raise SchemaMismatchError(found.decode())

    def queue(self, model: str) -> EditQueue:
        """The model's queue; made once, since RQ asks Redis for its version each time."""
        if model not in self._queues:
            self._queues[model] = EditQueue(self.redis, model, job_timeout_s=self._job_timeout_s)
        return self._queues[model]

    def submit(
        self,
        request: Request,
        *,
        model: str,
        admission: Admission | None,
        origin: Origin = NOBODY,
    ) -> Submission:
        """Take an edit or a composition in, whole or not at all.

        The same key with the same request finds the first edit again; raises
        `IdempotencyMismatchError` on another request and `QueueFullError` at the limit.
        """
        return self._submissions.make(
            request,
            self.queue(model),
            model=model,
            admission=admission,
            origin=origin,
            now_s=self._clock(),
        )

    def find_submission(self, request: Request, origin: Origin) -> Submission | None:
        """What the key made before, whatever has changed since; raises as `submit` does."""
        return self._submissions.find(request, origin)

    def cancel(self, edit_id: str) -> EditStatus | None:
        """Ask for an edit's end; returns the state it was in, which stays if it was final.

        A queued edit is canceled at once, a running one by its worker, between two passes.
        """
        record = self.record(edit_id)
        if record is None:
            return None
        queue = self.queue(record.model)
        keys = [names.edit(edit_id), names.events(edit_id), queue.key, queue.job_key(edit_id)]
        found = self._cancel(keys, [names.EDITS, edit_id, rfc3339(self._clock())])
        return EditStatus(found.decode())

    def record(self, edit_id: str) -> EditRecord | None:
        raw = self.redis.hgetall(names.edit(edit_id))
        return EditRecord.from_redis(raw) if raw else None

    def is_gone(self, edit_id: str) -> bool:
        """Whether there was such an edit, which has been forgotten since."""
        return bool(self.redis.exists(names.gone(edit_id)))

    def find(self, edit_id: str) -> EditView | None:
        """The edit as it stands, with its place in the queue while it is not final."""
        record = self.record(edit_id)
        return self._view(record) if record else None

    def find_composition(self, checkpoint_id: str) -> CompositionView | None:
        """The composition as it stands, as long as it has no checkpoint."""
        record = self.record(checkpoint_id)
        if record is None:
            return None
        queue, reason = self._standing(record)
        return record.composition_view(queue=queue, queued_reason=reason)

    def page(
        self,
        *,
        model: str | None = None,
        status: EditStatus | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> EditPage:
        """Edits, newest first, that are older than the id `before`."""
        index = names.index(model=model, status=status.value if status else None)
        top = f"({before}" if before else "+"
        ids = self.redis.zrevrangebylex(index, top, f"[{EDIT_PREFIX}", start=0, num=limit + 1)
        with self.redis.pipeline(transaction=False) as pipe:
            for edit_id in ids[:limit]:
                pipe.hgetall(names.edit(edit_id.decode()))
            records = [EditRecord.from_redis(raw) for raw in pipe.execute() if raw]
        more = len(ids) > limit
        return EditPage(
            items=tuple(self._view(record) for record in records),
            next_cursor=ids[limit - 1].decode() if more else None,
        )

    def events(self, edit_id: str, *, after: str = "0", limit: int = 1000) -> list[EditEvent]:
        """The edit's events past the id `after`, oldest first."""
        raw = self.redis.xrange(names.events(edit_id), min=f"({after}", count=limit)
        return [
            EditEvent(
                id=event_id.decode(),
                type=fields[b"type"].decode(),
                at=datetime.fromisoformat(fields[b"at"].decode()),
                data=json.loads(fields[b"data"]),
            )
            for event_id, fields in raw
        ]

    def _view(self, record: EditRecord) -> EditView:
        queue, reason = self._standing(record)
        return record.view(queue=queue, queued_reason=reason)

    def _standing(self, record: EditRecord) -> tuple[QueueView | None, QueuedReason | None]:
        """Its place in line and why it waits; neither for what is final."""
        if record.status.is_final:
            return None, None
        workers = [w for w in self.presence.workers() if w.model == record.model]
        reason = QueuedReason.NO_WORKER if not workers else record.queued_reason
        if record.status is not EditStatus.QUEUED:
            reason = None
        means = [w.mean_edit_s for w in workers if w.mean_edit_s is not None]
        return self._place(record, means), reason

    def _place(self, record: EditRecord, mean_edit_s: list[float]) -> QueueView:
        position = 0
        if record.status is EditStatus.QUEUED:
            running = self.redis.zcard(names.index(model=record.model, status="running"))
            position = (self.queue(record.model).position(record.id) or 0) + min(running, 1)
        if not mean_edit_s:
            return QueueView(position=position, eta_s=None)
        mean_s = sum(mean_edit_s) / len(mean_edit_s)
        return QueueView(
            position=position, eta_s=round((position + 1) * mean_s / len(mean_edit_s), 3)
        )
