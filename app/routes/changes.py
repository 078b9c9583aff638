"""`/edits/{id}/cancel` and `/edits/{id}/retry`: what can be done about an edit."""

from fastapi import APIRouter, Response

from app.description.openapi import problems
from app.errors import EditNotFailedError
from app.jobs.acceptance import REFUSALS, accept
from app.jobs.canceling import cancel
from app.jobs.edit_response import edit_response, found_edit, missing
from app.routes.edits import IdempotencyKey
from app.service import ServiceDependency
from contract.wire.edits import EditRequest
from contract.wire.failures import ErrorCode
from contract.wire.ids import is_edit_id
from contract.wire.lifecycle import EditStatus
from contract.wire.views import EditView

router = APIRouter(tags=["edits"])

RETRIED = frozenset({EditStatus.FAILED, EditStatus.CANCELED})


@router.post(
    "/edits/{edit_id}/cancel",
    operation_id="cancel_edit",
    summary="Cancel an edit",
    response_model=EditView,
    response_description="Canceled.",
    responses={
        202: {"description": "Canceling: its worker stops it soon.", "model": EditView},
        **problems(
            ErrorCode.EDIT_NOT_FOUND,
            ErrorCode.EDIT_GONE,
            ErrorCode.EDIT_FINAL,
            ErrorCode.LEDGER_UNAVAILABLE,
        ),
    },
)
def cancel_edit(edit_id: str, service: ServiceDependency) -> Response:
    """Stops a waiting or running edit; what has been published stays published."""
    if not (is_edit_id(edit_id) and cancel(service, edit_id)):
        raise missing(service, edit_id)
    view = found_edit(service, edit_id)
    if view.status.is_final:
        return edit_response(view)
    return edit_response(view, status=202, headers={"Location": f"/edits/{edit_id}"})


@router.post(
    "/edits/{edit_id}/retry",
    operation_id="retry_edit",
    summary="Retry an edit",
    status_code=202,
    response_model=EditView,
    response_description="Accepted: follow the new edit at `Location`.",
    responses=problems(ErrorCode.EDIT_NOT_FOUND, ErrorCode.EDIT_NOT_FAILED, *REFUSALS),
)
def retry_edit(
    edit_id: str, service: ServiceDependency, idempotency_key: IdempotencyKey = None
) -> Response:
    """Makes a new edit from a failed or canceled one, which its `retry_of` names."""
    record = service.ledger.record(edit_id) if is_edit_id(edit_id) else None
    if record is None:
        raise missing(service, edit_id)
    if record.status not in RETRIED:
        raise EditNotFailedError(edit_id, status=record.status)
    assert isinstance(record.request, EditRequest)
    return accept(service, record.request, idempotency_key=idempotency_key, retry_of=edit_id)
