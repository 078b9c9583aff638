"""Submitting an edit: everything that makes one is written in one step, or nothing is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.client import Pipeline

from contract.ledger import names, scripts
from contract.ledger.errors import (
    BeingRemovedError,
    IdempotencyMismatchError,
    QueueFullError,
    SchemaMismatchError,
)
from contract.ledger.origin import Origin, made_by_key
from contract.ledger.queue import EditQueue
from contract.ledger.record import EditRecord, Request, first_record
from contract.times import rfc3339
from contract.wire.composition import ComposeRequest
from contract.wire.estimates import Admission
from contract.wire.events import EventType
from contract.wire.ids import checkpoint_id_of, new_edit_id
from contract.wire.lifecycle import EditStatus


@dataclass(frozen=True, slots=True)
class Submission:
    """The edit that a request made, now or before."""

    edit_id: str
    created: bool
    record: EditRecord | None = None
    """As it was written just now; to be read for an edit that was made before."""
    before: int = 0
    """How many edits come before it."""


class Submissions:
    """The door to the ledger."""

    def __init__(self, redis: Redis, *, max_queued: int, idempotency_ttl_s: int) -> None:
        self._redis = redis
        self._max_queued = max_queued
        self._idempotency_ttl_s = idempotency_ttl_s
        self._submit = redis.register_script(scripts.SUBMIT)

    def find(self, request: Request, origin: Origin) -> Submission | None:
        """What the key made before, whatever has changed since; raises
        `IdempotencyMismatchError`."""
        known = self._redis.get(origin.key) if origin.key else None
        return _known(known, request, origin) if known is not None else None

    def make(
        self,
        request: Request,
        queue: EditQueue,
        *,
        model: str,
        admission: Admission | None,
        origin: Origin,
        now_s: float,
    ) -> Submission:
        """Write record, index, first event, idempotency key and job.

        The id is chosen here, so that a command sent twice, its first answer lost, makes one edit.
        Raises `SchemaMismatchError`, `IdempotencyMismatchError`, `QueueFullError`, and
        `BeingRemovedError` for a checkpoint that it is built on.
        """
        job_id = _new_id(request, now_s=now_s)
        idempotency = origin.idempotency(request, until_s=now_s + self._idempotency_ttl_s)
        record = first_record(
            job_id,
            request,
            model=model,
            admission=admission,
            origin=origin,
            now_s=now_s,
            idempotency=idempotency,
        )
        with self._redis.pipeline() as writes:  # never executed: it only collects
            writes.multi()
            _write_job(writes, record, request, now_s=now_s)
            if idempotency is not None:
                made = made_by_key(job_id, idempotency.body, model)
                writes.set(origin.key, made, ex=self._idempotency_ttl_s)
            queue.put(job_id, pipeline=writes)
            commands = [arguments for arguments, _ in writes.command_stack]
        bases = sorted(request.built_on)
        limits = [names.SCHEMA_VERSION, self._max_queued, len(bases)]
        answer, told = self._submit(
            _keys(job_id, model, bases, origin), [*limits, *_counted_words(commands)]
        )
        match answer:
            case b"schema":
                raise SchemaMismatchError(told.decode())
            case b"full":
                raise QueueFullError(self._max_queued)
            case b"removing":
                raise BeingRemovedError(bases[int(told)])
            case b"known":
                return _known(told, request, origin)
            case _:
                return Submission(job_id, created=True, record=EditRecord(record), before=int(told))


def _new_id(request: Request, *, now_s: float) -> str:
    """A composition has the id of the checkpoint that it is to make."""
    edit_id = new_edit_id(now_s=now_s)
    return checkpoint_id_of(edit_id) if isinstance(request, ComposeRequest) else edit_id


def _write_job(
    writes: Pipeline, record: Mapping[str, str], request: Request, *, now_s: float
) -> None:
    """The record, its place in the indexes and among the deadlines, and the first event."""
    job_id, model = record["id"], record["model"]
    writes.hset(names.edit(job_id), mapping=record)
    for index in names.indexes(model=model, status=EditStatus.QUEUED):
        writes.zadd(index, {job_id: 0})
    if request.deadline_s is not None:
        writes.zadd(names.DEADLINES, {job_id: now_s + request.deadline_s})
    event = {"type": EventType.QUEUED.value, "at": rfc3339(now_s), "data": "{}"}
    writes.xadd(names.events(job_id), event)


def _keys(job_id: str, model: str, bases: Sequence[str], origin: Origin) -> list[str]:
    """The keys of the script `SUBMIT`."""
    return [
        names.edit(job_id),
        names.SCHEMA,
        names.index(model=model, status=EditStatus.QUEUED),
        names.index(model=model, status=EditStatus.RUNNING),
        *map(names.removing, bases),
        *([origin.key] if origin.key else []),
    ]


def _counted_words(commands: Iterable[Sequence[Any]]) -> list[Any]:
    """Commands as the script reads them: each as the number of its words and the words."""
    return [word for command in commands for word in (len(command), *command)]


def _known(raw: bytes, request: Request, origin: Origin) -> Submission:
    edit_id, body, model = raw.decode().split(" ", 2)
    if body != origin.body_digest(request) or request.model not in (None, model):
        raise IdempotencyMismatchError
    return Submission(edit_id, created=False)
