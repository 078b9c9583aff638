"""`…/events`: what happened to an edit or a composition, as a list or as a feed."""

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from app.description.openapi import problems
from app.guards.single_parameters import check_single
from app.jobs.checkpoints import check_composition
from app.jobs.edit_response import check_edit
from app.jobs.event_response import DESCRIBED, After, LastEventId, event_response
from app.service import ServiceDependency
from contract.wire.failures import ErrorCode
from contract.wire.views import EventList

router = APIRouter(dependencies=[Depends(check_single)])


@router.get(
    "/edits/{edit_id}/events",
    tags=["edits"],
    operation_id="list_events",
    summary="Follow an edit",
    response_model=EventList,
    responses={
        **DESCRIBED,
        **problems(
            ErrorCode.INVALID_REQUEST,
            ErrorCode.EDIT_NOT_FOUND,
            ErrorCode.EDIT_GONE,
            ErrorCode.LEDGER_UNAVAILABLE,
        ),
    },
)
async def list_events(
    edit_id: str,
    http: Request,
    service: ServiceDependency,
    after: After = "0",
    last_event_id: LastEventId = None,
) -> Response:
    """A JSON list, or with `Accept: text/event-stream` a feed that ends with the final event."""
    await run_in_threadpool(check_edit, service, edit_id)
    return await event_response(http, service, edit_id, after=after, last_event_id=last_event_id)


@router.get(
    "/checkpoints/{checkpoint_id}/events",
    tags=["checkpoints"],
    operation_id="list_checkpoint_events",
    summary="Follow a composition",
    response_model=EventList,
    responses={
        **DESCRIBED,
        **problems(
            ErrorCode.INVALID_REQUEST,
            ErrorCode.CHECKPOINT_NOT_FOUND,
            ErrorCode.EDIT_GONE,
            ErrorCode.LEDGER_UNAVAILABLE,
        ),
    },
)
async def list_checkpoint_events(
    checkpoint_id: str,
    http: Request,
    service: ServiceDependency,
    after: After = "0",
    last_event_id: LastEventId = None,
) -> Response:
    """Events of a composition; for the checkpoint of a single edit, ask for the edit's events."""
    await run_in_threadpool(check_composition, service, checkpoint_id)
    return await event_response(
        http, service, checkpoint_id, after=after, last_event_id=last_event_id
    )
