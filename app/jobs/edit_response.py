"""An edit as it goes out over HTTP."""

from fastapi import Response

from app.errors import ApiError, EditGoneError, EditNotFoundError
from app.service import Service
from contract.wire.ids import is_edit_id
from contract.wire.views import EditView


def found_edit(service: Service, edit_id: str) -> EditView:
    """The edit as it stands; raises `EditNotFoundError` and `EditGoneError`."""
    view = service.ledger.find(edit_id) if is_edit_id(edit_id) else None
    if view is None:
        raise missing(service, edit_id)
    return view


def check_edit(service: Service, edit_id: str) -> None:
    """Raises as `found_edit` does."""
    if not is_edit_id(edit_id) or service.ledger.record(edit_id) is None:
        raise missing(service, edit_id)


def missing(service: Service, edit_id: str) -> ApiError:
    """Why there is no such edit."""
    if is_edit_id(edit_id) and service.ledger.is_gone(edit_id):
        return EditGoneError(edit_id)
    return EditNotFoundError(edit_id)


def edit_response(
    view: EditView, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        content=view.model_dump_json(),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )
