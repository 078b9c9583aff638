"""The ledger: every edit's record, index and events in Redis."""

import json
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime

from redis import Redis

from contract.ledger import names, scripts
from contract.ledger.errors import SchemaMismatchError, UnreadableRecordError
from contract.ledger.origin import Origin
from contract.ledger.places import Places
from contract.ledger.presence import Presence
from contract.ledger.queue import EditQueue
from contract.ledger.record import EditRecord, Request, built_on_of
from contract.ledger.removals import Removal, removing
from contract.ledger.submission import Submission, Submissions
from contract.logs import EventLog
from contract.times import rfc3339
from contract.wire.checkpoints import CompositionView
from contract.wire.estimates import Admission
from contract.wire.ids import EDIT_PREFIX, checkpoint_id_of
from contract.wire.lifecycle import UNFINISHED, EditStatus
from contract.wire.views import EditEvent, EditPage, EditView

Clock = Callable[[], float]
NOBODY = Origin()
log = EventLog("contract.ledger")


class Ledger:
    """What the API does with edits; `contract.ledger.attempts` is the worker's side."""

    def __init__(
        self,
        redis: Redis,
        *,
        job_timeout_s: int = 3600,
        max_queued: int = 20_000,
        idempotency_ttl_s: int = 86_400,
        fresh_s: float = 0.0,
        clock: Clock = time.time,
    ) -> None:
        self.redis = redis
        self.presence = Presence(redis, fresh_s=fresh_s)
        self._places = Places(redis, self.presence, queue_of=self.queue)
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
        found = self.redis.get(names.SCHEMA)
        if found is None:
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
        `IdempotencyMismatchError` on another request, `QueueFullError` at the limit,
        `BeingRemovedError` on a checkpoint that is being taken away, and `SchemaMismatchError`.
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

    def made(self, submission: Submission) -> EditView | None:
        """The edit that a submission made; read only if it was made before."""
        if submission.record is None:
            return self.find(submission.edit_id)
        place = self._places.at(submission.record, before=submission.before)
        return submission.record.view(queue=place.queue, queued_reason=place.reason)

    def cancel(self, edit_id: str) -> EditStatus | None:
        """Ask for an edit's end; returns the state it was in, which stays if it was final.

        A queued edit is canceled at once, a running one by its worker, between two passes.
        """
        record = self.record(edit_id)
        if record is None:
            return None
        if record.status.is_final:
            return record.status
        queue = self.queue(record.model)
        keys = [names.edit(edit_id), names.events(edit_id), queue.key, queue.job_key(edit_id)]
        found = self._cancel(keys, [names.EDITS, edit_id, rfc3339(self._clock())])
        return EditStatus(found.decode()) if found else None  # forgotten meanwhile

    def record(self, edit_id: str) -> EditRecord | None:
        raw = self.redis.hgetall(names.edit(edit_id))
        return EditRecord.from_redis(raw) if raw else None

    def building(self) -> dict[str, frozenset[str]]:
        """The checkpoints that jobs are to make which have not ended, and what each is built on;
        those that are built on none are left out."""
        with self.redis.pipeline() as pipe:
            for status in UNFINISHED:
                pipe.zrange(names.index(status=status.value), 0, -1)
            ids = [raw.decode() for found in pipe.execute() for raw in found]
        with self.redis.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.hget(names.edit(job_id), "request")
            asked = zip(ids, pipe.execute(), strict=True)
        built = {checkpoint_id_of(i): built_on_of(raw) for i, raw in asked if raw}
        return {checkpoint_id: on for checkpoint_id, on in built.items() if on}

    def removing(self, checkpoint_ids: Collection[str]) -> AbstractContextManager[Removal]:
        """Accept nothing meanwhile that is built on these checkpoints: to be entered before
        `building` is asked, and each of them to be confirmed before it is removed."""
        return removing(self.redis, checkpoint_ids)

    def is_gone(self, edit_id: str) -> bool:
        """Whether there was such an edit, which has been forgotten since."""
        return bool(self.redis.exists(names.gone(edit_id)))

    def find(self, edit_id: str) -> EditView | None:
        """The edit as it stands, with its place in the queue while it is not final."""
        record = self.record(edit_id)
        if record is None:
            return None
        (place,) = self._places.of([record])
        return record.view(queue=place.queue, queued_reason=place.reason)

    def find_composition(self, checkpoint_id: str) -> CompositionView | None:
        """The composition as it stands, as long as it has no checkpoint."""
        record = self.record(checkpoint_id)
        if record is None:
            return None
        (place,) = self._places.of([record])
        return record.composition_view(queue=place.queue, queued_reason=place.reason)

    def page(
        self,
        *,
        model: str | None = None,
        status: EditStatus | None = None,
        before: str | None = None,
        limit: int = 50,
        neurons: bool = True,
    ) -> EditPage:
        """Edits, newest first, that are older than the id `before`, with their neurons or
        without; those whose records cannot be read are left out."""
        index = names.index(model=model, status=status.value if status else None)
        top = f"({before}" if before else "+"
        ids = self.redis.zrevrangebylex(index, top, f"[{EDIT_PREFIX}", start=0, num=limit + 1)
        with self.redis.pipeline(transaction=False) as pipe:
            for edit_id in ids[:limit]:
                pipe.hgetall(names.edit(edit_id.decode()))
            records = [EditRecord.from_redis(raw) for raw in pipe.execute() if raw]
        more = len(ids) > limit
        return EditPage(
            items=tuple(self._readable(records, neurons=neurons)),
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

    def _readable(self, records: list[EditRecord], *, neurons: bool) -> list[EditView]:
        read = [(record, _view(record, neurons=neurons)) for record in records]
        seen = [(record, view) for record, view in read if view is not None]
        places = self._places.of([record for record, _ in seen])
        return [
            view.model_copy(update={"queue": place.queue, "queued_reason": place.reason})
            for (_, view), place in zip(seen, places, strict=True)
        ]


def _view(record: EditRecord, *, neurons: bool) -> EditView | None:
    """The edit without its place; None if a later version, or an accident, wrote it."""
    try:
        return record.view(queue=None, queued_reason=record.queued_reason, neurons=neurons)
    except UnreadableRecordError as error:
        log.warning("record_not_read", edit_id=record.fields.get("id"), reason=error.reason)
        return None
