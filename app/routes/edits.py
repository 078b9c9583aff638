"""`/edits`: ask for an edit, list them, look at one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.description.openapi import problems
from app.errors import EditNotFoundError
from app.files.etags import etag_of, is_known
from app.guards.json_body import JsonRoute
from app.guards.single_parameters import check_single
from app.jobs.acceptance import REFUSALS, accept, estimate
from app.jobs.cursors import cursor_after, edit_before
from app.jobs.edit_response import edit_response, found_edit
from app.jobs.watching import until_final
from app.service import ServiceDependency
from contract.wire.edits import EditRequest
from contract.wire.estimates import EditEstimate
from contract.wire.failures import ErrorCode
from contract.wire.ids import is_edit_id
from contract.wire.lifecycle import EditStatus
from contract.wire.limits import MAX_PAGE, MAX_WAIT_S
from contract.wire.views import EditPage, EditView

router = APIRouter(tags=["edits"], route_class=JsonRoute, dependencies=[Depends(check_single)])

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="A repeated key with the same body returns the edit made before.",
    ),
]


@router.post(
    "/edits",
    operation_id="create_edit",
    summary="Create an edit",
    status_code=202,
    response_model=EditView,
    response_description="Accepted: follow it at `Location`.",
    responses=problems(*REFUSALS),
)
def create_edit(
    request: EditRequest, service: ServiceDependency, idempotency_key: IdempotencyKey = None
) -> Response:
    """Checks the request and whether it fits in memory, and puts the edit in its model's queue."""
    return accept(service, request, idempotency_key=idempotency_key)


@router.post(
    "/edits:estimate",
    operation_id="estimate_edit",
    summary="Estimate an edit's memory",
    responses=problems(
        ErrorCode.INVALID_REQUEST,
        ErrorCode.STORE_CORRUPT,
        ErrorCode.STORE_UNAVAILABLE,
        ErrorCode.MODEL_UNKNOWN,
        ErrorCode.PROMPT_TOO_LONG,
        ErrorCode.NO_WORKER,
        ErrorCode.LEDGER_UNAVAILABLE,
    ),
)
def estimate_edit(request: EditRequest, service: ServiceDependency) -> EditEstimate:
    """Estimates and decides as `POST /edits` would, without making an edit; also gives what
    EasyEdit's own KN would take for the same fact."""
    return estimate(service, request)


@router.get(
    "/edits",
    operation_id="list_edits",
    summary="List edits, newest first",
    responses=problems(
        ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_CURSOR, ErrorCode.LEDGER_UNAVAILABLE
    ),
)
def list_edits(
    service: ServiceDependency,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Edits on a page.")] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
    model: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    status: EditStatus | None = None,
    neurons: Annotated[
        bool, Query(description="Whether to include neurons; pages without them are much smaller.")
    ] = True,
) -> EditPage:
    """A page of edits; `next_cursor` is null on the last one."""
    before = edit_before(cursor) if cursor is not None else None
    page = service.ledger.page(
        model=model, status=status, before=before, limit=limit, neurons=neurons
    )
    if page.next_cursor is None:
        return page
    return page.model_copy(update={"next_cursor": cursor_after(page.next_cursor)})


@router.get(
    "/edits/{edit_id}",
    operation_id="get_edit",
    summary="Get an edit",
    response_model=EditView,
    responses={
        304: {"description": "Unchanged since `If-None-Match`."},
        **problems(
            ErrorCode.INVALID_REQUEST,
            ErrorCode.EDIT_NOT_FOUND,
            ErrorCode.EDIT_GONE,
            ErrorCode.LEDGER_UNAVAILABLE,
        ),
    },
)
async def get_edit(
    edit_id: str,
    http: Request,
    service: ServiceDependency,
    wait: Annotated[
        float, Query(ge=0, le=MAX_WAIT_S, description="Seconds to wait for a final state.")
    ] = 0,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The edit's current state; with `wait`, as soon as it is final or the time is up."""
    if not is_edit_id(edit_id):
        raise EditNotFoundError(edit_id)
    if wait:
        await until_final(service, edit_id, wait_s=wait, is_gone=http.is_disconnected)
    response = edit_response(await run_in_threadpool(found_edit, service, edit_id))
    etag = etag_of(bytes(response.body))
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if is_known(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response
