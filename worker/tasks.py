"""One edit, from its job to its end."""

import os
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from redis.exceptions import RedisError

from contract.admission import decide
from contract.attempts import Attempt, AttemptLostError, Attempts, CancelAskedError
from contract.edits import EditRequest
from contract.failures import ErrorCode
from contract.ids import checkpoint_id_of
from contract.lifecycle import Outcome, Phase
from contract.memory import ModelShape, Workload
from contract.record import EditRecord
from contract.store import WithheldError
from contract.views import (
    Admission,
    CheckpointFile,
    CheckpointView,
    Decision,
    EditFailure,
    EditResult,
)
from worker.activity import Activity
from worker.device_memory import DeviceMemory, budget_bytes
from worker.failures import Codes, failure, failure_of
from worker.fitness import DeviceFaultError, TaintedWeightsError, UnfitError, Weights
from worker.logs import EventLog, bound
from worker.narration import Narration
from worker.publishing import Store, code_version, commit, keep

log = EventLog(__name__)

Watch = Callable[[str, int, int], None]


class Edited(Protocol):
    """What the engine made of a request."""

    def as_json(self) -> dict[str, Any]: ...


class Editor(Protocol):
    """The engine, with its model resident."""

    @property
    def shape(self) -> ModelShape: ...
    @property
    def base_digest(self) -> str: ...
    def parse(self, mapping: Mapping[str, Any]) -> Any: ...
    def workload(self, request: Any) -> Workload: ...
    def edit(
        self,
        request: Any,
        *,
        layers_per_pass: int | None = ...,
        watch: Watch = ...,
        between: Callable[[], None] = ...,
    ) -> Edited: ...
    def files(self, edited: Any, base_model: str) -> dict[str, bytes]: ...
    def verify(self, edited: Any, files: Mapping[str, bytes]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """All that an edit needs, chosen once when the worker starts."""

    worker_id: str
    model: str
    editor: Editor
    attempts: Attempts
    record_of: Callable[[str], EditRecord | None]
    store: Store
    activity: Activity
    memory: DeviceMemory
    codes: Codes
    max_attempts: int
    memory_cap_bytes: int | None
    deadline: Callable[[float | None], AbstractContextManager[None]]
    hand_back: Callable[[Attempt], None]
    drop_connections: Callable[[], None]
    weights: Weights
    watchdog: Callable[[], AbstractContextManager[None]] = nullcontext
    clock: Callable[[], float] = time.time


@dataclass(frozen=True, slots=True)
class Published:
    """The edit's checkpoint stands."""

    checkpoint: CheckpointView


@dataclass(frozen=True, slots=True)
class Failed:
    """The edit has no checkpoint; `result` keeps what was found all the same."""

    failure: EditFailure
    result: EditResult | None = None


@dataclass(frozen=True, slots=True)
class Canceled:
    """The edit was stopped because it was asked to be."""


Ending = Published | Failed | Canceled


def run_edit(edit_id: str, resources: Resources) -> None:
    """Bring an edit to its end, unless it is final already or another worker has it.

    Raises `RedisError` when the ledger stays away: the lease then runs out, and a sweep finds the
    edit. Handed back when the process is told to exit at once, and when it has to be replaced,
    which is told by `SystemExit`.
    """
    attempt = resources.attempts.claim(edit_id, worker_id=resources.worker_id)
    record = resources.record_of(edit_id) if attempt else None
    if attempt is None or record is None:
        log.info("edit_not_claimed", edit_id=edit_id)
        return
    with bound(edit_id=edit_id, attempt=attempt.number, request_id=record.request_id):
        log.info("edit_started")
        _work(attempt, record, resources)


def _work(attempt: Attempt, record: EditRecord, resources: Resources) -> None:
    try:
        with resources.activity.holding(attempt), resources.watchdog():
            _end(attempt, _ending(attempt, record, resources), resources)
    except AttemptLostError as lost:
        log.warning("attempt_lost", found=lost.found)
    except UnfitError as unfit:
        log.error("worker_unfit", reason=str(unfit))
        if isinstance(unfit, TaintedWeightsError):
            resources.activity.taint()
        resources.hand_back(attempt)
        raise SystemExit(os.EX_SOFTWARE) from None
    except SystemExit:
        resources.hand_back(attempt)
        raise


def _ending(attempt: Attempt, record: EditRecord, resources: Resources) -> Ending:
    ending: Ending
    try:
        return _carry_out(attempt, record, resources)
    except (CancelAskedError, WithheldError):
        ending = Canceled()
    except (AttemptLostError, RedisError, UnfitError):
        raise
    except Exception as error:
        ending = Failed(failure_of(error, resources.codes))
        if ending.failure.code is ErrorCode.DEVICE_FAULT:
            raise DeviceFaultError(ending.failure.message) from None
        if ending.failure.code is ErrorCode.INTERNAL:
            # As text: a log record that kept the exception would keep its frames' tensors.
            log.error("edit_broke", traceback=traceback.format_exc())
    # Only here, where the exception and its frames are gone, can their memory be freed.
    resources.memory.release()
    # A timeout may have struck between a command and its reply.
    resources.drop_connections()
    resources.weights.check()
    return ending


def _carry_out(attempt: Attempt, record: EditRecord, resources: Resources) -> Ending:
    standing = resources.store.find(checkpoint_id_of(attempt.edit_id))
    if standing is not None:
        log.info("checkpoint_stands", by_attempt=standing.attempt)
        return Published(standing)
    if attempt.number > resources.max_attempts:
        message = f"given up after {resources.max_attempts} attempts that did not end"
        return Failed(failure(ErrorCode.ATTEMPTS_EXHAUSTED, message))
    if record.has_hung:
        return Failed(failure(ErrorCode.TIMEOUT, "an attempt hung past its time limit"))
    resources.weights.check()
    return _edit(attempt, record, resources)


def _edit(attempt: Attempt, record: EditRecord, resources: Resources) -> Ending:
    request, editor = record.request, resources.editor
    narration = Narration(attempt, attempts=resources.attempts, activity=resources.activity)
    with resources.deadline(record.left_s(resources.clock())):
        parsed = editor.parse(request.model_dump(mode="json"))
        admission = _admit(attempt, parsed, resources)
        if admission.decision is Decision.REJECT:
            reasons = "; ".join(admission.reasons)
            return Failed(failure(ErrorCode.MEMORY_INFEASIBLE, reasons))
        edited = editor.edit(
            parsed,
            layers_per_pass=admission.applied.layers_per_pass,
            watch=narration,
            between=narration.between,
        )
        result = EditResult.model_validate(edited.as_json())
        if request.require_held and result.outcome is Outcome.NOT_HELD:
            message = f"the edited model answers {result.after!r}"
            return Failed(failure(ErrorCode.NOT_HELD, message), result)
        resources.attempts.enter(attempt, Phase.PUBLISH)
        files = editor.files(edited, resources.model)
        kept = keep(resources.store, files, verify=partial(editor.verify, edited))
    # Out of the deadline's reach: once the manifest is linked, the edit has not failed.
    resources.weights.check()
    _check_lease(attempt, resources)
    resources.attempts.check(attempt)
    draft = _draft(attempt, request, admission, result, kept, resources)
    return Published(commit(resources.store, draft))


def _admit(attempt: Attempt, parsed: Any, resources: Resources) -> Admission:
    resources.attempts.enter(attempt, Phase.ADMIT)
    budget = budget_bytes(resources.memory.read(), cap_bytes=resources.memory_cap_bytes)
    work = resources.editor.workload(parsed)
    admission = decide(resources.editor.shape, work, budget_bytes=budget)
    resources.attempts.admit(attempt, admission)
    return admission


def _draft(
    attempt: Attempt,
    request: EditRequest,
    admission: Admission,
    result: EditResult,
    files: tuple[CheckpointFile, ...],
    resources: Resources,
) -> CheckpointView:
    return CheckpointView(
        id=checkpoint_id_of(attempt.edit_id),
        edit_id=attempt.edit_id,
        model=resources.model,
        base_digest=resources.editor.base_digest,
        files=files,
        request=request,
        attempt=attempt.number,
        result=result,
        admission=admission,
        code_version=code_version(),
        created_at=datetime.fromtimestamp(resources.clock(), UTC),
    )


def _end(attempt: Attempt, ending: Ending, resources: Resources) -> None:
    match _outlived(attempt, ending, resources):
        case Published(checkpoint):
            resources.attempts.succeed(attempt, checkpoint.result, checkpoint_id=checkpoint.id)
            log.info("edit_succeeded", outcome=checkpoint.result.outcome)
        case Failed(found, result):
            _check_lease(attempt, resources)
            resources.attempts.fail(attempt, found, result=result)
            log.warning("edit_failed", code=found.code, message=found.message)
        case Canceled():
            resources.attempts.cancel(attempt)
            log.info("edit_canceled")
    resources.attempts.release(attempt)


def _outlived(attempt: Attempt, ending: Ending, resources: Resources) -> Ending:
    """The ending, unless an earlier attempt that only slept has published meanwhile; if it has not,
    it never will."""
    if attempt.number == 1 or isinstance(ending, Published):
        return ending
    try:
        standing = resources.store.withhold(checkpoint_id_of(attempt.edit_id))
    except OSError as error:  # a store that takes nothing takes no late checkpoint either
        log.warning("not_withheld", reason=error.strerror)
        return ending
    return ending if standing is None else Published(standing)


def _check_lease(attempt: Attempt, resources: Resources) -> None:
    """Fence what the ledger's scripts cannot see: an attempt that slept past its lease."""
    if not resources.attempts.renew(attempt):
        raise AttemptLostError(attempt.edit_id, found="no lease")
