"""`/checkpoints`: look at them, put edits together, take them away."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.checkpoint_errors import CheckpointInUseError
from app.description.openapi import problems
from app.guards.json_body import JsonRoute
from app.guards.single_parameters import check_single
from app.jobs.acceptance import JOB_REFUSALS, accept_composition
from app.jobs.canceling import cancel
from app.jobs.checkpoints import (
    check_published,
    dependents_of,
    missing_composition,
    page_of,
    seen_checkpoint,
)
from app.jobs.cursors import checkpoint_before, cursor_after
from app.jobs.watching import until_final
from app.routes.edits import IdempotencyKey
from app.service import ServiceDependency
from contract.logs import EventLog
from contract.wire.checkpoints import CheckpointPage, CheckpointView, CompositionView
from contract.wire.composition import ComposeRequest
from contract.wire.failures import ErrorCode
from contract.wire.ids import is_checkpoint_id
from contract.wire.limits import MAX_PAGE, MAX_WAIT_S

log = EventLog("app.checkpoints")
router = APIRouter(
    tags=["checkpoints"], route_class=JsonRoute, dependencies=[Depends(check_single)]
)


@router.post(
    "/checkpoints",
    operation_id="create_checkpoint",
    summary="Compose edits",
    status_code=202,
    response_model=CheckpointView | CompositionView,
    response_description="Accepted: follow it at `Location`. It may already be published.",
    responses=problems(
        ErrorCode.CHECKPOINT_NOT_FOUND,
        ErrorCode.EDIT_NOT_PUBLISHED,
        *JOB_REFUSALS,
    ),
)
def create_checkpoint(
    request: ComposeRequest, service: ServiceDependency, idempotency_key: IdempotencyKey = None
) -> Response:
    """Combines finished edits in one checkpoint and evaluates each of them again. To undo one edit
    of several, compose the others: edits can be removed in any order."""
    checkpoint_id = accept_composition(service, request, idempotency_key=idempotency_key)
    seen = seen_checkpoint(service, checkpoint_id)
    return _to_follow(seen, headers={"Retry-After": "1"})


@router.get(
    "/checkpoints",
    operation_id="list_checkpoints",
    summary="List checkpoints, newest first",
    responses=problems(
        ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_CURSOR, ErrorCode.STORE_UNAVAILABLE
    ),
)
def list_checkpoints(
    service: ServiceDependency,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Checkpoints on a page.")] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
    neurons: Annotated[
        bool, Query(description="Whether to include neurons; pages without them are much smaller.")
    ] = True,
) -> CheckpointPage:
    """A page of published checkpoints; `next_cursor` is null on the last one."""
    before = checkpoint_before(cursor) if cursor is not None else None
    page = page_of(service.store, before=before, limit=limit, neurons=neurons)
    if page.next_cursor is None:
        return page
    return page.model_copy(update={"next_cursor": cursor_after(page.next_cursor)})


@router.get(
    "/checkpoints/{checkpoint_id}",
    operation_id="get_checkpoint",
    summary="Get a checkpoint",
    responses=problems(
        ErrorCode.INVALID_REQUEST,
        ErrorCode.CHECKPOINT_NOT_FOUND,
        ErrorCode.EDIT_GONE,
        ErrorCode.STORE_CORRUPT,
        ErrorCode.STORE_UNAVAILABLE,
        ErrorCode.LEDGER_UNAVAILABLE,
    ),
)
async def get_checkpoint(
    checkpoint_id: str,
    http: Request,
    service: ServiceDependency,
    wait: Annotated[
        float,
        Query(ge=0, le=MAX_WAIT_S, description="Seconds to wait for a composition's final state."),
    ] = 0,
) -> CheckpointView | CompositionView:
    """The manifest: the edits it contains, its files and results. A composition without a manifest
    yet shows its current state."""
    seen = await run_in_threadpool(seen_checkpoint, service, checkpoint_id)
    if not wait or seen.status.is_final:
        return seen
    await until_final(service, checkpoint_id, wait_s=wait, is_gone=http.is_disconnected)
    return await run_in_threadpool(seen_checkpoint, service, checkpoint_id)


@router.post(
    "/checkpoints/{checkpoint_id}/cancel",
    operation_id="cancel_checkpoint",
    summary="Cancel a composition",
    response_model=CheckpointView | CompositionView,
    response_description="Canceled.",
    responses={
        202: {"description": "Canceling: its worker stops it soon.", "model": CompositionView},
        **problems(
            ErrorCode.CHECKPOINT_NOT_FOUND,
            ErrorCode.EDIT_GONE,
            ErrorCode.EDIT_FINAL,
            ErrorCode.STORE_CORRUPT,
            ErrorCode.STORE_UNAVAILABLE,
            ErrorCode.LEDGER_UNAVAILABLE,
        ),
    },
)
def cancel_checkpoint(
    checkpoint_id: str, service: ServiceDependency
) -> Response | CheckpointView | CompositionView:
    """Stops a waiting or running composition; what has been published stays published."""
    if not (is_checkpoint_id(checkpoint_id) and cancel(service, checkpoint_id)):
        raise missing_composition(service, checkpoint_id)
    seen = seen_checkpoint(service, checkpoint_id)
    return seen if seen.status.is_final else _to_follow(seen)


@router.delete(
    "/checkpoints/{checkpoint_id}",
    operation_id="delete_checkpoint",
    summary="Delete a checkpoint",
    status_code=204,
    response_class=Response,
    responses=problems(
        ErrorCode.CHECKPOINT_NOT_FOUND,
        ErrorCode.CHECKPOINT_IN_USE,
        ErrorCode.STORE_UNAVAILABLE,
        ErrorCode.LEDGER_UNAVAILABLE,
    ),
)
def delete_checkpoint(checkpoint_id: str, service: ServiceDependency) -> None:
    """Refused while another checkpoint, or an unfinished job, is built on it."""
    check_published(service, checkpoint_id)
    with service.ledger.removing([checkpoint_id]) as removal:
        dependents = dependents_of(checkpoint_id, service)
        if dependents:
            raise CheckpointInUseError(checkpoint_id, by=dependents)
        removal.confirm(checkpoint_id)
        service.store.remove(checkpoint_id)
    log.info("checkpoint_removed", checkpoint_id=checkpoint_id)


def _to_follow(
    seen: CheckpointView | CompositionView, *, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        content=seen.model_dump_json(),
        status_code=202,
        headers={"Location": f"/checkpoints/{seen.id}"} | (headers or {}),
        media_type="application/json",
    )
