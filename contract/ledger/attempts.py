"""The worker's side of the ledger: claim an edit, tell how it goes, end it once."""

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from contract.ledger import names, scripts
from contract.ledger.queue import EditQueue
from contract.ledger.record import EditRecord, Result
from contract.ledger.tally import Edited, increments, method_of
from contract.times import rfc3339
from contract.wire.estimates import Admission
from contract.wire.events import EventType
from contract.wire.frozen import Frozen
from contract.wire.lifecycle import EditStatus, Phase, QueuedReason, leads_to
from contract.wire.serving import MemoryOutlook
from contract.wire.views import EditFailure, EditResult, Progress

Clock = Callable[[], float]
AT_WORK = (EditStatus.RUNNING,)
NOTHING: Mapping[str, float] = {}


class AttemptLostError(Exception):
    """Another attempt, or a final state, has overtaken this one: it must not write any more."""

    def __init__(self, edit_id: str, *, found: str) -> None:
        self.edit_id = edit_id
        self.found = found
        super().__init__(f"attempt at {edit_id} is over: {found}")


class CancelAskedError(AttemptLostError):
    """The edit is to be canceled: the attempt may end it, and nothing else."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The right to write about an edit, until another attempt is made."""

    edit_id: str
    number: int
    worker_id: str

    @property
    def owner(self) -> str:
        return f"{self.worker_id}#{self.number}"


class Attempts:
    """Fenced writes: each names its attempt, and one that was overtaken changes nothing."""

    def __init__(self, redis: Redis, *, lease_s: float, clock: Clock = time.time) -> None:
        self._redis = redis
        self._lease_ms = int(lease_s * 1000)
        self._clock = clock
        self._change = redis.register_script(scripts.CHANGE)
        self._claim = redis.register_script(scripts.CLAIM)
        self._renew = redis.register_script(scripts.RENEW)
        self._release = redis.register_script(scripts.RELEASE)
        self._strand = redis.register_script(scripts.STRAND)

    def claim(self, edit_id: str, *, worker_id: str) -> Attempt | None:
        """Begin the next attempt; None when the edit is final or another worker has it."""
        keys = [names.edit(edit_id), names.events(edit_id), names.lease(edit_id)]
        now = rfc3339(self._clock())
        number = self._claim(keys, [names.EDITS, edit_id, worker_id, self._lease_ms, now])
        return Attempt(edit_id, int(number), worker_id) if number else None

    def renew(self, attempt: Attempt) -> bool:
        """Keep the lease alive; False once the attempt is over or another worker has the edit."""
        keys = [names.edit(attempt.edit_id), names.lease(attempt.edit_id)]
        return bool(self._renew(keys, [attempt.owner, attempt.number, self._lease_ms]))

    def release(self, attempt: Attempt) -> None:
        self._release([names.lease(attempt.edit_id)], [attempt.owner])

    def enter(self, attempt: Attempt, phase: Phase) -> None:
        """Tell that a phase begins."""
        fields = {"phase": phase.value, "progress": ""}
        self._write(attempt, AT_WORK, None, EventType.PHASE, {"phase": phase.value}, fields)

    def progress(self, attempt: Attempt, progress: Progress) -> None:
        self._write(attempt, AT_WORK, None, EventType.PROGRESS, progress, {"progress": progress})

    def admit(self, attempt: Attempt, admission: Admission) -> None:
        """Record what was decided with exact token counts and the memory that is free now."""
        told = {"decision": admission.decision, "applied": admission.applied.model_dump()}
        self._write(attempt, AT_WORK, None, EventType.ADMISSION, told, {"admission": admission})

    def tell_memory(self, attempt: Attempt, outlook: MemoryOutlook) -> None:
        """Tell that the memory became tight, or is so no more."""
        self._write(attempt, AT_WORK, None, EventType.MEMORY, outlook, {})

    def succeed(self, attempt: Attempt, result: Result, *, checkpoint_id: str) -> None:
        """End the edit: published and verified."""
        told = {"outcome": result.outcome, "checkpoint_id": checkpoint_id}
        fields = {"result": result, "checkpoint_id": checkpoint_id} | self._ending()
        target, tally = EditStatus.SUCCEEDED, self._tally_of(attempt, result)
        self._write(attempt, leads_to(target), target, EventType.SUCCEEDED, told, fields, tally)

    def fail(self, attempt: Attempt, failure: EditFailure, *, result: Result | None = None) -> None:
        """End the edit: it failed; `result` keeps what was found before. Raises `CancelAskedError`
        when it is to be canceled: that is then how it ends."""
        fields: dict[str, Frozen | str] = {"error": failure} | self._ending()
        if result is not None:
            fields["result"] = result
        target, tally = EditStatus.FAILED, self._tally_of(attempt, result)
        self._write(attempt, leads_to(target), target, EventType.FAILED, failure, fields, tally)

    def cancel(self, attempt: Attempt) -> None:
        """End the edit as it was asked to end."""
        target = EditStatus.CANCELED
        self._write(
            attempt, (EditStatus.CANCELING,), target, EventType.CANCELED, {}, self._ending()
        )

    def check(self, attempt: Attempt) -> None:
        """Raises `CancelAskedError` when the edit is to be canceled, and `AttemptLostError` when
        the attempt is over."""
        key = names.edit(attempt.edit_id)
        status, number = self._redis.hmget(key, "status", "attempt")
        found = "missing" if status is None else status.decode()
        if status is not None and int(number) != attempt.number:
            found = "fenced"
        if found != EditStatus.RUNNING:
            raise _lost(attempt, found)

    def is_held(self, edit_id: str) -> bool:
        """Whether a worker that is alive has the edit."""
        return bool(self._redis.exists(names.lease(edit_id)))

    def note_hang(self, attempt: Attempt) -> None:
        """Leave word that the attempt hung past its time; its process is about to end."""
        at_work = leads_to(EditStatus.SUCCEEDED)
        self._write(
            attempt, at_work, None, EventType.HUNG, {"attempt": attempt.number}, {"hung": "1"}
        )

    def put_back(self, attempt: Attempt, reason: QueuedReason) -> None:
        """Return the edit to the queued state, its attempt counted."""
        fields = {"queued_reason": reason.value, "phase": "", "progress": ""}
        told = {"reason": reason.value}
        self._write(attempt, AT_WORK, EditStatus.QUEUED, EventType.QUEUED, told, fields)

    def defer(self, attempt: Attempt, record: EditRecord, *, needed_bytes: int = 0) -> None:
        """Return the edit to the queued state until there is memory, `needed_bytes` at least; its
        attempt is not counted against it."""
        since = record.fields.get("deferred_since") or rfc3339(self._clock())
        fields = {
            "queued_reason": QueuedReason.WAITING_FOR_MEMORY.value,
            "phase": "",
            "progress": "",
            "deferrals": str(record.deferrals + 1),
            "deferred_since": since,
            "needed_bytes": str(max(needed_bytes, record.needed_bytes)),
        }
        told = {"reason": QueuedReason.WAITING_FOR_MEMORY.value}
        self._write(attempt, AT_WORK, EditStatus.QUEUED, EventType.QUEUED, told, fields)

    def requeue_stranded(self, model: str, queue: EditQueue) -> list[str]:
        """Put edits back in line that no live worker holds and no queue has; returns their ids.

        A job is lost between queue and worker when the worker dies: RQ would find it after
        minutes, and call it a failure.
        """
        stranded = [i for i in self._ids(model, "running") if self.strand(i)]
        if self._redis.zcard(names.index(model=model, status="queued")) != len(queue):
            queued = self._ids(model, "queued")
            waiting = set(queue.ids())  # read last: what is submitted meanwhile is in both
            stranded += [i for i in queued if i not in waiting and self.strand(i)]
        stranded = sorted(set(stranded))
        for edit_id in reversed(stranded):
            queue.put(edit_id, at_front=True)
        return stranded

    def strand(self, edit_id: str) -> bool:
        """Let an edit that no live worker holds wait for another; whether it waits now."""
        keys = [names.edit(edit_id), names.events(edit_id), names.lease(edit_id)]
        return bool(self._strand(keys, [names.EDITS, edit_id, rfc3339(self._clock())]))

    def running(self) -> list[str]:
        """The edits in work, of all models, whether their workers live or not."""
        return self._ids(None, "running")

    def canceling(self, model: str | None = None) -> list[str]:
        """The edits that are to be canceled, the oldest first; those of all models, unless one is
        named."""
        return self._ids(model, "canceling")

    def _ids(self, model: str | None, status: str) -> list[str]:
        index = names.index(model=model, status=status)
        return [raw.decode() for raw in self._redis.zrangebylex(index, "-", "+")]

    def overdue(self, now_s: float) -> list[str]:
        """The edits whose deadline has passed, except those that had ended by then."""
        found = self._redis.zrangebyscore(names.DEADLINES, "-inf", now_s)
        return [raw.decode() for raw in found]

    def forget_deadline(self, edit_id: str) -> None:
        self._redis.zrem(names.DEADLINES, edit_id)

    def _ending(self) -> dict[str, Frozen | str]:
        return {"finished_at": rfc3339(self._clock()), "phase": "", "progress": ""}

    def _tally_of(self, attempt: Attempt, result: Result | None) -> dict[str, float]:
        """What the edit adds to the tally of memory; nothing where none was measured."""
        if not isinstance(result, EditResult):
            return {}
        model, request = self._redis.hmget(names.edit(attempt.edit_id), "model", "request")
        if model is None:
            return {}
        return increments(Edited(model.decode(), method_of(request)), result.memory)

    def _write(
        self,
        attempt: Attempt,
        allowed: Collection[EditStatus],
        target: EditStatus | None,
        event: EventType,
        told: Frozen | dict[str, Any],
        fields: dict[str, Any],
        tally: Mapping[str, float] = NOTHING,
    ) -> None:
        data = told.model_dump_json() if isinstance(told, Frozen) else json.dumps(told)
        grown = [part for name, amount in tally.items() for part in (name, repr(amount))]
        flat = [part for name, value in fields.items() for part in (name, _text(value))]
        found = self._change(
            [names.edit(attempt.edit_id), names.events(attempt.edit_id), names.TALLY],
            [
                names.EDITS,
                attempt.edit_id,
                str(attempt.number),
                "," + ",".join(allowed) + ",",
                target.value if target else "",
                event.value,
                rfc3339(self._clock()),
                data,
                len(tally),
                *grown,
                *flat,
            ],
        ).decode()
        if found != "ok":
            raise _lost(attempt, found)


def _lost(attempt: Attempt, found: str) -> AttemptLostError:
    kind = CancelAskedError if found == EditStatus.CANCELING else AttemptLostError
    return kind(attempt.edit_id, found=found)


def _text(value: Frozen | str) -> str:
    return value.model_dump_json() if isinstance(value, Frozen) else value
