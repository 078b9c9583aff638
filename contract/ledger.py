"""The ledger: every edit's record, index and events in Redis."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from redis import Redis
from redis.exceptions import WatchError

from contract import names
from contract.edits import EditRequest
from contract.ids import new_edit_id
from contract.lifecycle import EditStatus, QueuedReason
from contract.presence import Presence
from contract.queue import EditQueue
from contract.record import EditRecord, first_record, rfc3339
from contract.views import Admission, EditEvent, EditPage, EditView, QueueView

Clock = Callable[[], float]


class LedgerError(Exception):
    """Root of the ledger's errors.

    LedgerError
    ├── SchemaMismatchError
    ├── IdempotencyMismatchError
    └── QueueFullError
    """


class SchemaMismatchError(LedgerError):
    """Redis holds a ledger of another version."""

    def __init__(self, found: str) -> None:
        self.found = found
        super().__init__(f"ledger has schema {found}, this code speaks {names.SCHEMA_VERSION}")


class IdempotencyMismatchError(LedgerError):
    """A key was used before, with another body."""

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key was used with a different request")


class QueueFullError(LedgerError):
    """The model has as many unfinished edits as it may."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"{limit} edits are waiting already")


@dataclass(frozen=True, slots=True)
class Submission:
    """The edit that a request made, now or before."""

    edit_id: str
    created: bool


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
        self._job_timeout_s = job_timeout_s
        self._max_queued = max_queued
        self._idempotency_ttl_s = idempotency_ttl_s
        self._clock = clock

    def check_schema(self) -> None:
        """Claim an empty Redis; raises `SchemaMismatchError` on another version's ledger."""
        mine = str(names.SCHEMA_VERSION)
        self.redis.set(names.SCHEMA, mine, nx=True)
        found = self.redis.get(names.SCHEMA)
        if found is not None and found.decode() != mine:
            raise SchemaMismatchError(found.decode())

    def queue(self, model: str) -> EditQueue:
        return EditQueue(self.redis, model, job_timeout_s=self._job_timeout_s)

    def submit(
        self,
        request: EditRequest,
        *,
        model: str,
        admission: Admission,
        idempotency_key: str | None = None,
    ) -> Submission:
        """Write record, index, first event, idempotency key and job in one transaction.

        The same key with the same request finds the first edit again; raises
        `IdempotencyMismatchError` on another request and `QueueFullError` at the limit.
        """
        body = _body_of(request)
        key = _key_of(idempotency_key)
        while True:
            try:
                return self._submit_once(request, model, admission, key, body)
            except WatchError:
                continue  # another post with this key was faster: read what it wrote

    def find_submission(
        self, request: EditRequest, *, idempotency_key: str | None
    ) -> Submission | None:
        """What the key made before, whatever has changed since; raises as `submit` does."""
        key = _key_of(idempotency_key)
        known = self.redis.get(key) if key else None
        if known is None:
            return None
        return _known_submission(known.decode(), _body_of(request))

    def _submit_once(
        self, request: EditRequest, model: str, admission: Admission, key: str | None, body: str
    ) -> Submission:
        now_s = self._clock()
        edit_id = new_edit_id(now_s=now_s)
        with self.redis.pipeline(transaction=True) as pipe:
            if key:
                pipe.watch(key)
                if (known := pipe.get(key)) is not None:
                    return _known_submission(known.decode(), body)
            self._refuse_when_full(model)
            pipe.multi()
            if key:
                pipe.set(key, f"{edit_id} {body}", ex=self._idempotency_ttl_s)
            record = first_record(edit_id, request, model=model, admission=admission, now_s=now_s)
            pipe.hset(names.edit(edit_id), mapping=record)
            for index in _indexes(model, EditStatus.QUEUED):
                pipe.zadd(index, {edit_id: 0})
            event = {"type": "queued", "at": rfc3339(now_s), "data": "{}"}
            pipe.xadd(names.events(edit_id), event)
            self.queue(model).put(edit_id, pipeline=pipe)
            pipe.execute()
        return Submission(edit_id, created=True)

    def _refuse_when_full(self, model: str) -> None:
        if self.redis.zcard(names.index(model=model, status="queued")) >= self._max_queued:
            raise QueueFullError(self._max_queued)

    def record(self, edit_id: str) -> EditRecord | None:
        raw = self.redis.hgetall(names.edit(edit_id))
        return EditRecord.from_redis(raw) if raw else None

    def find(self, edit_id: str) -> EditView | None:
        """The edit as it stands, with its place in the queue while it is not final."""
        record = self.record(edit_id)
        return self._view(record) if record else None

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
        ids = self.redis.zrevrangebylex(index, top, "-", start=0, num=limit + 1)
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
        if record.status.is_final:
            return record.view(queue=None, queued_reason=None)
        workers = [w for w in self.presence.workers() if w.model == record.model]
        reason = QueuedReason.NO_WORKER if not workers else record.queued_reason
        if record.status is not EditStatus.QUEUED:
            reason = None
        means = [w.mean_edit_s for w in workers if w.mean_edit_s is not None]
        return record.view(queue=self._place(record, means), queued_reason=reason)

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


def _indexes(model: str, status: EditStatus) -> list[str]:
    return [
        names.index(model=of_model, status=of_status)
        for of_model in (None, model)
        for of_status in (None, status.value)
    ]


def _key_of(idempotency_key: str | None) -> str | None:
    return names.idempotency(_digest(idempotency_key)) if idempotency_key else None


def _body_of(request: EditRequest) -> str:
    """A digest of what was asked; a model that was left out is the one that was found."""
    return _digest(request.model_dump_json(exclude={"model"}))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _known_submission(known: str, body: str) -> Submission:
    edit_id, known_body = known.split()
    if known_body != body:
        raise IdempotencyMismatchError
    return Submission(edit_id, created=False)
