"""The ledger from the store: finished edits are listed again after Redis has lost them."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis
from redis.client import Pipeline

from contract.ledger import names
from contract.ledger.origin import made_by_key
from contract.store.store import CheckpointStore
from contract.times import rfc3339
from contract.wire.checkpoints import CheckpointView
from contract.wire.events import EventType
from contract.wire.ids import made_at_s
from contract.wire.lifecycle import EditStatus

TURN_S = 60
"""Longer than one worker takes; after that another begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """Writes the records of published edits that a flushed Redis does not have, and what finds them
    by the idempotency keys that made them.

    What was queued, running or failed is in no manifest, and is lost.
    """

    redis: Redis
    store: CheckpointStore
    keep_s: float
    clock: Callable[[], float] = time.time

    def is_due(self) -> bool:
        """Whether Redis is empty, or was and has not been told all yet."""
        return not self.redis.exists(names.RESTORED)

    def takes_turn(self) -> bool:
        """Whether it is due; one caller at a time is told."""
        return self.is_due() and bool(self.redis.set(names.RESTORING, "1", nx=True, ex=TURN_S))

    def __call__(self) -> int:
        """Write what is missing; returns how many. Raises `StoreUnavailableError`:
        then it stays due."""
        oldest_s = self.clock() - self.keep_s
        n_restored = 0
        for checkpoint in self.store.readable(self.store.ids()):
            if checkpoint.created_at.timestamp() < oldest_s:
                continue  # it was forgotten
            n_restored += self._restored(checkpoint)
        self.redis.set(names.RESTORED, rfc3339(self.clock()))
        self.redis.delete(names.RESTORING)
        return n_restored

    def _restored(self, checkpoint: CheckpointView) -> bool:
        job_id = checkpoint.edit_id or checkpoint.id
        if self.redis.exists(names.edit(job_id)):
            return False
        ended = rfc3339(checkpoint.created_at.timestamp())
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.hset(names.edit(job_id), mapping=_record(checkpoint, job_id, ended))
            for index in names.indexes(model=checkpoint.model, status=EditStatus.SUCCEEDED):
                pipe.zadd(index, {job_id: 0})
            pipe.zadd(names.FINISHED, {f"{ended} {job_id}": 0})
            event = {"type": EventType.SUCCEEDED.value, "at": ended, "data": '{"restored": true}'}
            pipe.xadd(names.events(job_id), event)
            self._remember_key(pipe, checkpoint, job_id)
            pipe.execute()
        return True

    def _remember_key(self, pipe: Pipeline, checkpoint: CheckpointView, job_id: str) -> None:
        """For what is left of its time; a key that has made another job since then stays its."""
        made_by = checkpoint.idempotency
        if made_by is None or (left_s := made_by.until.timestamp() - self.clock()) <= 0:
            return
        made = made_by_key(job_id, made_by.body, checkpoint.model)
        pipe.set(names.idempotency(made_by.key), made, ex=math.ceil(left_s), nx=True)


def _record(checkpoint: CheckpointView, job_id: str, ended: str) -> dict[str, str]:
    admission = checkpoint.admission
    return {
        "id": job_id,
        "model": checkpoint.model,
        "status": EditStatus.SUCCEEDED.value,
        "attempt": str(checkpoint.attempt),
        "request": checkpoint.request.model_dump_json(),
        "admission": admission.model_dump_json() if admission else "",
        "result": checkpoint.result.model_dump_json(),
        "checkpoint_id": checkpoint.id,
        "created_at": rfc3339(made_at_s(job_id)),
        "finished_at": ended,
    }
