"""Taking a request in: checked, admitted, and put in its model's queue."""

from fastapi import Response

from app.errors import MemoryInfeasibleError, NoRoomError, NoWorkerError
from app.guards.authentication import caller
from app.guards.tracing import request_id
from app.jobs.ancestry import base_edits, being_removed, edits_of
from app.jobs.edit_response import edit_response, missing
from app.jobs.intake import admission_of, composition_admission_of, estimate_of, model_for
from app.service import Service
from contract.ledger.errors import BeingRemovedError
from contract.ledger.origin import Origin
from contract.ledger.record import Request
from contract.ledger.submission import Submission
from contract.logs import EventLog
from contract.wire.composition import ComposeRequest
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission, Decision, EditEstimate
from contract.wire.failures import ErrorCode
from contract.wire.serving import ModelView

log = EventLog("app.edits")

JOB_REFUSALS = (
    ErrorCode.INVALID_REQUEST,
    ErrorCode.EDIT_GONE,
    ErrorCode.STORE_CORRUPT,
    ErrorCode.STORE_UNAVAILABLE,
    ErrorCode.STORE_FULL,
    ErrorCode.MODEL_UNKNOWN,
    ErrorCode.MEMORY_INFEASIBLE,
    ErrorCode.IDEMPOTENCY_MISMATCH,
    ErrorCode.QUEUE_FULL,
    ErrorCode.NO_WORKER,
    ErrorCode.LEDGER_UNAVAILABLE,
)
"""Why an edit or a composition may not be accepted."""
REFUSALS = (*JOB_REFUSALS, ErrorCode.PROMPT_TOO_LONG)
"""Why an edit may not be accepted."""


def accept(
    service: Service,
    request: EditRequest,
    *,
    idempotency_key: str | None,
    retry_of: str | None = None,
) -> Response:
    """202 with the edit that the request at hand makes, or has made before; raises `ApiError`s and
    `LedgerError`s of the codes in `REFUSALS`."""
    origin = _origin(idempotency_key, retry_of=retry_of)
    submission = service.ledger.find_submission(request, origin)
    if submission is None:
        submission = _submit(service, request, origin)
    log.info("edit_accepted", edit_id=submission.edit_id, created=submission.created)
    view = service.ledger.made(submission)
    if view is None:
        raise missing(service, submission.edit_id)
    headers = {"Location": f"/edits/{view.id}", "Retry-After": "1"}
    return edit_response(view, status=202, headers=headers)


def accept_composition(
    service: Service, request: ComposeRequest, *, idempotency_key: str | None
) -> str:
    """The id of the checkpoint that the request at hand makes, or has made before; raises as
    `accept` does, and `EditNotPublishedError`."""
    origin = _origin(idempotency_key)
    submission = service.ledger.find_submission(request, origin)
    if submission is None:
        submission = _submit_composition(service, request, origin)
    log.info("composition_accepted", id=submission.edit_id, created=submission.created)
    return submission.edit_id


def _origin(idempotency_key: str | None, *, retry_of: str | None = None) -> Origin:
    return Origin(
        caller=caller(),
        idempotency_key=idempotency_key,
        request_id=request_id(),
        retry_of=retry_of,
    )


def estimate(service: Service, request: EditRequest) -> EditEstimate:
    """The decision on such an edit, and what EasyEdit's own KN would take for it."""
    model, admission = _considered(service, request)
    return _with_easyedit(service, request, model, admission)


def _considered(service: Service, request: EditRequest) -> tuple[ModelView, Admission]:
    """The model that is meant, and whether the edit fits its workers' memory."""
    survey = service.ledger.presence.survey()
    model = model_for(request.model, survey.models)
    counter = service.tokens.of(model)
    base = base_edits(request, model, service.store)
    return model, admission_of(request, model, base, workers=survey.workers, counter=counter)


def _with_easyedit(
    service: Service, request: EditRequest, model: ModelView, admission: Admission
) -> EditEstimate:
    return estimate_of(request, model, admission, counter=service.tokens.of(model))


def _submit(service: Service, request: EditRequest, origin: Origin) -> Submission:
    model, admission = _considered(service, request)
    if admission.decision is Decision.REJECT:
        raise MemoryInfeasibleError(_with_easyedit(service, request, model, admission))
    _at_work(model)
    _check_room(service)
    return _made(service, request, model, admission, origin)


def _submit_composition(service: Service, request: ComposeRequest, origin: Origin) -> Submission:
    survey = service.ledger.presence.survey()
    model, edits = edits_of(request, service.store, survey.models)
    counter = service.tokens.of(_at_work(model))
    admission = composition_admission_of(
        request, edits, model, workers=survey.workers, counter=counter
    )
    if admission.decision is Decision.REJECT:
        raise MemoryInfeasibleError(admission)
    _check_room(service)
    return _made(service, request, model, admission, origin)


def _made(
    service: Service, request: Request, model: ModelView, admission: Admission, origin: Origin
) -> Submission:
    """The job, unless what it is built on has begun to go since it was looked up."""
    asked = request.model_copy(update={"model": model.name})
    try:
        return service.ledger.submit(asked, model=model.name, admission=admission, origin=origin)
    except BeingRemovedError as error:
        raise being_removed(request, error.checkpoint_id) from error


def _check_room(service: Service) -> None:
    """Raises `NoRoomError` where the store is full; one that is away is waited for by workers."""
    if service.readiness.store.is_full:
        raise NoRoomError


def _at_work(model: ModelView) -> ModelView:
    """The model, if somebody is there to work for it; raises `NoWorkerError`."""
    if not model.workers:
        raise NoWorkerError(model.name)
    return model
