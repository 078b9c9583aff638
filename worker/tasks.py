"""One edit, from its job to its end."""

import os
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from redis.exceptions import RedisError

from contract.attempts import Attempt, AttemptLostError, CancelAskedError
from contract.checkpoints import CheckpointFile, CheckpointView, Part, Provenance
from contract.composition import ComposeRequest
from contract.edits import EditRequest
from contract.failures import ErrorCode
from contract.ids import checkpoint_id_of
from contract.lifecycle import Outcome, Phase
from contract.record import EditRecord, Request, Result
from contract.store import WithheldError
from contract.views import Admission, Decision, EditFailure, EditResult
from worker.admitting import CrowdedOutError, admit, as_applied, edit_within, settled
from worker.composing import composition_of
from worker.failures import failure, failure_of
from worker.fitness import DeviceFaultError, TaintedWeightsError, UnfitError
from worker.lineage import ground_of, members_of, parts_of
from worker.logs import EventLog, bound
from worker.narration import Narration
from worker.patience import wait_s
from worker.publishing import code_version, commit, keep
from worker.resources import Made, Resources

log = EventLog(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """The edit's checkpoint stands."""

    checkpoint: CheckpointView


@dataclass(frozen=True, slots=True)
class Failed:
    """The edit has no checkpoint; `result` keeps what was found all the same."""

    failure: EditFailure
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Canceled:
    """The edit was stopped because it was asked to be."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """The edit does not fit now, and waits at the head of its queue until so much is free."""

    record: EditRecord
    needed_bytes: int = 0


Ending = Published | Failed | Canceled | Deferred


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
            ending = _ending(attempt, record, resources)
            _end(attempt, ending, resources)
        if isinstance(ending, Deferred):
            resources.pause(wait_s(record.deferrals))
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
    except CrowdedOutError as crowded:
        ending = _crowded_out(record, crowded, resources)
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


def _crowded_out(
    record: EditRecord, crowded: CrowdedOutError, resources: Resources
) -> Deferred | Failed:
    if record.may_wait(resources.clock(), resources.memory_wait_s):
        return Deferred(record, crowded.needed_bytes)
    return Failed(failure(ErrorCode.MEMORY_INFEASIBLE, str(crowded)))


def _carry_out(attempt: Attempt, record: EditRecord, resources: Resources) -> Ending:
    standing = resources.store.find(checkpoint_id_of(attempt.edit_id))
    if standing is not None:
        log.info("checkpoint_stands", by_attempt=standing.attempt)
        return Published(standing)
    if attempt.number - record.deferrals > resources.max_attempts:
        message = f"given up after {resources.max_attempts} attempts that did not end"
        return Failed(failure(ErrorCode.ATTEMPTS_EXHAUSTED, message))
    if record.has_hung:
        return Failed(failure(ErrorCode.TIMEOUT, "an attempt hung past its time limit"))
    resources.weights.check()
    request, left_s = record.request, record.left_s(resources.clock())
    if isinstance(request, ComposeRequest):
        return _compose(attempt, request, left_s, resources)
    return _edit(attempt, request, record, resources)


def _edit(
    attempt: Attempt, request: EditRequest, record: EditRecord, resources: Resources
) -> Ending:
    editor, narration = resources.editor, _narration(attempt, resources)
    now_s = resources.clock()
    left_s = record.left_s(now_s)
    with resources.deadline(left_s):
        ground = ground_of(request, resources.store, editor)
        asked = settled(request, resources=resources)
        parsed = editor.parse(asked.model_dump(mode="json"))
        admission = admit(
            attempt,
            asked,
            parsed,
            base=ground.adapter,
            resources=resources,
            needed_bytes=record.needed_bytes,
        )
        if admission.decision is Decision.DEFER and record.may_wait(now_s, resources.memory_wait_s):
            return Deferred(record)
        if admission.decision in (Decision.REJECT, Decision.DEFER):
            reasons = "; ".join(admission.reasons)
            return Failed(failure(ErrorCode.MEMORY_INFEASIBLE, reasons))
        edited, admission = edit_within(
            attempt,
            admission,
            parsed,
            resources=resources,
            base=ground.adapter,
            pad_rank=request.pad_rank,
            watch=narration,
            between=narration.between,
        )
        result = EditResult.model_validate(edited.as_json())
        if (applied := as_applied(admission, result)) != admission:
            admission = applied
            resources.attempts.admit(attempt, admission)
        if request.require_held and result.outcome is Outcome.NOT_HELD:
            message = f"the edited model answers {result.after!r}"
            return Failed(failure(ErrorCode.NOT_HELD, message), result)
        kept = _keep(attempt, edited, resources)
    own_rank = edited.adapter.rank - edited.adapter.n_padding - ground.rank
    draft = _draft(
        attempt,
        resources,
        edit_id=attempt.edit_id,
        base=request.base,
        parts=parts_of([(attempt.edit_id, own_rank)], after=ground.parts),
        request=request,
        admission=admission,
        result=result,
        files=kept,
    )
    return _publish(attempt, draft, resources)


def _compose(
    attempt: Attempt, request: ComposeRequest, left_s: float | None, resources: Resources
) -> Ending:
    editor, narration = resources.editor, _narration(attempt, resources)
    with resources.deadline(left_s):
        members = members_of(request.edits, resources.store, editor)
        composed = editor.compose(
            [member.adapter for member in members],
            [editor.parse(member.request.model_dump(mode="json")) for member in members],
            pad_rank=request.pad_rank,
            watch=narration,
            between=narration.between,
        )
        result = composition_of(members, composed.as_json())
        if request.require_held and result.outcome is Outcome.NOT_HELD:
            lost = [test.edit_id for test in result.retests if test.outcome is Outcome.NOT_HELD]
            return Failed(failure(ErrorCode.NOT_HELD, f"do not hold: {', '.join(lost)}"), result)
        kept = _keep(attempt, composed, resources)
    parts = parts_of([(member.edit_id, member.adapter.rank) for member in members])
    draft = _draft(attempt, resources, parts=parts, request=request, result=result, files=kept)
    return _publish(attempt, draft, resources)


def _narration(attempt: Attempt, resources: Resources) -> Narration:
    return Narration(attempt, attempts=resources.attempts, activity=resources.activity)


def _keep(attempt: Attempt, made: Made, resources: Resources) -> tuple[CheckpointFile, ...]:
    resources.attempts.enter(attempt, Phase.PUBLISH)
    files = resources.editor.files(made, resources.model)
    return keep(resources.store, files, verify=partial(resources.editor.verify, made))


def _draft(
    attempt: Attempt,
    resources: Resources,
    *,
    parts: tuple[Part, ...],
    request: Request,
    result: Result,
    files: tuple[CheckpointFile, ...],
    edit_id: str | None = None,
    base: str | None = None,
    admission: Admission | None = None,
) -> CheckpointView:
    return CheckpointView(
        id=checkpoint_id_of(attempt.edit_id),
        edit_id=edit_id,
        model=resources.model,
        base_digest=resources.editor.base_digest,
        base=base,
        parts=parts,
        files=files,
        request=request,
        attempt=attempt.number,
        result=result,
        admission=admission,
        code_version=code_version(),
        provenance=Provenance.model_validate(resources.editor.provenance),
        created_at=datetime.fromtimestamp(resources.clock(), UTC),
    )


def _publish(attempt: Attempt, draft: CheckpointView, resources: Resources) -> Published:
    """Commit what is kept: out of the deadline's reach, since what is linked has not failed."""
    resources.weights.check()
    _check_lease(attempt, resources)
    resources.attempts.check(attempt)
    return Published(commit(resources.store, draft))


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
        case Deferred(record, needed_bytes):
            resources.defer(attempt, record, needed_bytes=needed_bytes)
            log.info("edit_deferred", deferrals=record.deferrals + 1)
            return
    resources.attempts.release(attempt)


def _outlived(attempt: Attempt, ending: Ending, resources: Resources) -> Ending:
    """The ending, unless an earlier attempt that only slept has published meanwhile; if it has not,
    it never will."""
    if attempt.number == 1 or isinstance(ending, (Published, Deferred)):
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
