"""`/checkpoints`: look at them, put edits together, take them away."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.checkpoint_errors import CheckpointInUseError
from app.description.openapi import problems
from app.guards.json_body import JsonRoute
from app.jobs.acceptance import accept_composition
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
router = APIRouter(tags=["checkpoints"], route_class=JsonRoute)


@router.post(
    "/checkpoints",
    operation_id="create_checkpoint",
    summary="Put edits together",
    status_code=202,
    response_model=CheckpointView | CompositionView,
    response_description="Accepted: follow it at `Location`. A key may find it published already.",
    responses=problems(
        ErrorCode.INVALID_REQUEST,
        ErrorCode.CHECKPOINT_NOT_FOUND,
        ErrorCode.EDIT_GONE,
        ErrorCode.EDIT_NOT_PUBLISHED,
        ErrorCode.MEMORY_INFEASIBLE,
        ErrorCode.STORE_CORRUPT,
        ErrorCode.STORE_UNAVAILABLE,
        ErrorCode.STORE_FULL,
        ErrorCode.IDEMPOTENCY_MISMATCH,
        ErrorCode.QUEUE_FULL,
        ErrorCode.MODEL_UNKNOWN,
        ErrorCode.NO_WORKER,
        ErrorCode.LEDGER_UNAVAILABLE,
    ),
)
def create_checkpoint(
    request: ComposeRequest, service: ServiceDependency, idempotency_key: IdempotencyKey = None
) -> Response:
    """Stacks finished edits into one checkpoint and asks each of them again. To undo one edit of
    several, put the others together: they come off in any order."""
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
        bool, Query(description="Whether each tells its neurons; without them a page is light.")
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
    summary="Look at a checkpoint",
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
        Query(ge=0, le=MAX_WAIT_S, description="Seconds to wait for a composition to be final."),
    ] = 0,
) -> CheckpointView | CompositionView:
    """The manifest: which edits it holds, its files, and what came of them. A composition shows
    where it stands until it has one."""
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
    response_description="It is canceled.",
    responses={
        202: {"description": "Its worker stops it soon: follow it.", "model": CompositionView},
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
    """Stops a composition, be it waiting or running; what is published by then stays published."""
    if not (is_checkpoint_id(checkpoint_id) and cancel(service, checkpoint_id)):
        raise missing_composition(service, checkpoint_id)
    seen = seen_checkpoint(service, checkpoint_id)
    return seen if seen.status.is_final else _to_follow(seen)


@router.delete(
    "/checkpoints/{checkpoint_id}",
    operation_id="delete_checkpoint",
    summary="Take a checkpoint away",
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
    """Refused while another checkpoint is built on it, or a job that has not ended is to be."""
    check_published(service, checkpoint_id)
    dependents = dependents_of(checkpoint_id, service)
    if dependents:
        raise CheckpointInUseError(checkpoint_id, by=dependents)
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
