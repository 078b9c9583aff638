"""What an attempt makes: an edit, or several edits in one checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from contract.ledger.attempts import Attempt
from contract.ledger.record import EditRecord, Request, Result
from contract.wire.checkpoints import CheckpointFile, CheckpointView, Part, Provenance
from contract.wire.composition import ComposeRequest
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission, Decision
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import Outcome, Phase
from contract.wire.views import EditResult
from worker.attempt.admitting import AskedEdit, admit, admit_composition
from worker.attempt.composing import composition_of
from worker.attempt.endings import Deferred, Ending, Failed, Published, check_lease
from worker.attempt.engine import EngineOutput
from worker.attempt.failures import failure
from worker.attempt.fitting import FittingEdit, as_applied, exhausted
from worker.attempt.limits import Limits
from worker.attempt.lineage import base_of, members_of, parts_of
from worker.attempt.progress import ProgressReporter
from worker.attempt.publishing import code_version, commit, keep
from worker.attempt.resources import Resources


@dataclass(frozen=True, slots=True)
class Draft:
    """A checkpoint whose files are kept, and whose manifest is not written yet."""

    parts: tuple[Part, ...]
    files: tuple[CheckpointFile, ...]
    request: Request
    result: Result
    admission: Admission | None = None
    base: str | None = None


def make(attempt: Attempt, record: EditRecord, resources: Resources) -> Ending:
    """Do what the record asks for, on weights that are the base's before and after; raises whatever
    stands in the way."""
    weights = resources.engine.weights
    weights.check()
    request = record.request
    made: Draft | Failed | Deferred
    if isinstance(request, ComposeRequest):
        made = _compose(attempt, request, record, resources)
    else:
        made = _edit(attempt, request, record, resources)
    weights.check()
    return _publish(attempt, made, record, resources) if isinstance(made, Draft) else made


def _edit(
    attempt: Attempt, request: EditRequest, record: EditRecord, resources: Resources
) -> Draft | Failed | Deferred:
    engine, limits, now_s = resources.engine, resources.limits, resources.clock()
    reporter, tell = _reporter(attempt, resources), partial(resources.attempts.admit, attempt)
    with limits.deadline(record.left_s(now_s)):
        base = base_of(request, resources.store, engine.editor)
        asked = AskedEdit.of(request, base, engine)
        resources.attempts.enter(attempt, Phase.ADMIT)
        admission = admit(asked, engine, needed_bytes=record.needed_bytes)
        tell(admission)
        if refused := _refused(admission, record, limits=limits, now_s=now_s):
            return refused
        fitting = FittingEdit(
            asked=asked,
            admission=admission,
            engine=engine,
            tell=tell,
            watch=reporter,
            between=reporter.between,
        )
        edited, admission = fitting.made(), fitting.admission
        result = EditResult.model_validate(edited.as_json())
        if (applied := as_applied(admission, result)) != admission:
            admission = applied
            tell(admission)
        if request.require_held and result.outcome is Outcome.NOT_HELD:
            message = f"the edit does not hold: the edited model answers {result.after!r}"
            return Failed(failure(ErrorCode.NOT_HELD, message), result)
        with exhausted(admission, engine.codes, when="when it was read back"):
            files = _keep(attempt, edited, resources, between=reporter.between)
    own_rank = edited.adapter.own_rank - base.rank
    parts = parts_of([(attempt.edit_id, own_rank)], after=base.parts)
    return Draft(parts, files, request, result, admission, request.base)


def _refused(
    admission: Admission, record: EditRecord, *, limits: Limits, now_s: float
) -> Deferred | Failed | None:
    """How the attempt ends where it is not admitted now."""
    if admission.decision is Decision.DEFER and record.may_wait(now_s, limits.memory_wait_s):
        return Deferred(record)
    if admission.decision in (Decision.REJECT, Decision.DEFER):
        return Failed(failure(ErrorCode.MEMORY_INFEASIBLE, "; ".join(admission.reasons)))
    return None


def _compose(
    attempt: Attempt, request: ComposeRequest, record: EditRecord, resources: Resources
) -> Draft | Failed | Deferred:
    engine, limits, now_s = resources.engine, resources.limits, resources.clock()
    editor, reporter = engine.editor, _reporter(attempt, resources)
    with limits.deadline(record.left_s(now_s)):
        members = members_of(request.edits, resources.store, editor)
        requests = [editor.parse(member.request.model_dump(mode="json")) for member in members]
        resources.attempts.enter(attempt, Phase.ADMIT)
        admission = admit_composition(members, requests, engine=engine, pad_rank=request.pad_rank)
        resources.attempts.admit(attempt, admission)
        if refused := _refused(admission, record, limits=limits, now_s=now_s):
            return refused
        with exhausted(admission, engine.codes, when="when they were put together"):
            composed = editor.compose(
                [member.adapter for member in members],
                requests,
                pad_rank=request.pad_rank,
                watch=reporter,
                between=reporter.between,
            )
        result = composition_of(members, composed.as_json())
        if request.require_held and result.outcome is Outcome.NOT_HELD:
            lost = [test.edit_id for test in result.retests if test.outcome is Outcome.NOT_HELD]
            return Failed(
                failure(ErrorCode.NOT_HELD, f"these edits do not hold: {', '.join(lost)}"), result
            )
        with exhausted(admission, engine.codes, when="when they were read back"):
            files = _keep(attempt, composed, resources, between=reporter.between)
    parts = parts_of([(member.edit_id, member.adapter.rank) for member in members])
    return Draft(parts, files, request, result, admission)


def _reporter(attempt: Attempt, resources: Resources) -> ProgressReporter:
    return ProgressReporter(attempt, attempts=resources.attempts, activity=resources.activity)


def _keep(
    attempt: Attempt, made: EngineOutput, resources: Resources, *, between: Callable[[], None]
) -> tuple[CheckpointFile, ...]:
    resources.attempts.enter(attempt, Phase.PUBLISH)
    editor = resources.engine.editor
    files = editor.files(made, resources.model)
    verify = partial(editor.verify, made, between=between)
    return keep(resources.store, files, verify=verify)


def _publish(attempt: Attempt, draft: Draft, record: EditRecord, resources: Resources) -> Published:
    """Commit what is kept: out of the deadline's reach, since what is linked has not failed."""
    check_lease(attempt, resources.attempts)
    resources.attempts.check(attempt)
    return Published(commit(resources.store, _manifest(attempt, draft, record, resources)))


def _manifest(
    attempt: Attempt, draft: Draft, record: EditRecord, resources: Resources
) -> CheckpointView:
    editor, is_edit = resources.engine.editor, isinstance(draft.request, EditRequest)
    return CheckpointView(
        id=checkpoint_id_of(attempt.edit_id),
        edit_id=attempt.edit_id if is_edit else None,
        model=resources.model,
        base_digest=editor.base_digest,
        base=draft.base,
        parts=draft.parts,
        files=draft.files,
        request=draft.request,
        attempt=attempt.number,
        result=draft.result,
        admission=draft.admission,
        code_version=code_version(),
        provenance=Provenance.model_validate(editor.provenance),
        idempotency=record.idempotency,
        created_at=datetime.fromtimestamp(resources.clock(), UTC),
    )
