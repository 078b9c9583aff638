"""`/edits`: ask for an edit, list them, look at one."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.authentication import caller
from app.cursors import cursor_after, edit_before
from app.edit_id import is_edit_id
from app.errors import EditNotFoundError, MemoryInfeasibleError
from app.etags import etag_of, is_known
from app.intake import admission_of, model_for
from app.json_body import JsonRoute
from app.logs import EventLog
from app.openapi import problems
from app.service import Service, ServiceDependency
from app.tracing import request_id
from app.watching import until_final
from contract.edits import EditRequest
from contract.failures import ErrorCode
from contract.lifecycle import EditStatus
from contract.origin import Origin
from contract.submission import Submission
from contract.views import Admission, Decision, EditPage, EditView, ModelView

log = EventLog("app.edits")
router = APIRouter(tags=["edits"], route_class=JsonRoute)

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key with the same body finds the edit made before.",
    ),
]


@router.post(
    "/edits",
    operation_id="create_edit",
    summary="Ask for an edit",
    status_code=202,
    response_model=EditView,
    response_description="Accepted: follow it at `Location`.",
    responses=problems(
        ErrorCode.INVALID_REQUEST,
        ErrorCode.MODEL_UNKNOWN,
        ErrorCode.MEMORY_INFEASIBLE,
        ErrorCode.PROMPT_TOO_LONG,
        ErrorCode.IDEMPOTENCY_MISMATCH,
        ErrorCode.QUEUE_FULL,
        ErrorCode.LEDGER_UNAVAILABLE,
    ),
)
def create_edit(
    request: EditRequest, service: ServiceDependency, idempotency_key: IdempotencyKey = None
) -> Response:
    """Checks the request and its memory, and puts the edit in its model's queue."""
    service.ledger.check_schema()
    origin = Origin(caller=caller(), idempotency_key=idempotency_key, request_id=request_id())
    submission = service.ledger.find_submission(request, origin)
    if submission is None:
        submission = _submit(service, request, origin)
    edit_id = submission.edit_id
    log.info("edit_accepted", edit_id=edit_id, created=submission.created)
    headers = {"Location": f"/edits/{edit_id}", "Retry-After": "1"}
    return _json(_found(service, edit_id), status=202, headers=headers)


def _submit(service: Service, request: EditRequest, origin: Origin) -> Submission:
    model, admission = _considered(service, request)
    if admission.decision is Decision.REJECT:
        raise MemoryInfeasibleError(admission)
    return service.ledger.submit(
        request.model_copy(update={"model": model.name}),
        model=model.name,
        admission=admission,
        origin=origin,
    )


@router.post(
    "/edits:estimate",
    operation_id="estimate_edit",
    summary="Foretell an edit's memory",
    responses=problems(
        ErrorCode.INVALID_REQUEST,
        ErrorCode.MODEL_UNKNOWN,
        ErrorCode.PROMPT_TOO_LONG,
        ErrorCode.LEDGER_UNAVAILABLE,
    ),
)
def estimate_edit(request: EditRequest, service: ServiceDependency) -> Admission:
    """Estimates and decides as `POST /edits` would, and makes no edit."""
    return _considered(service, request)[1]


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
    limit: Annotated[int, Query(ge=1, le=200, description="Edits on a page.")] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
    model: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    status: EditStatus | None = None,
) -> EditPage:
    """A page of edits; `next_cursor` is null on the last one."""
    before = edit_before(cursor) if cursor is not None else None
    page = service.ledger.page(model=model, status=status, before=before, limit=limit)
    if page.next_cursor is None:
        return page
    return page.model_copy(update={"next_cursor": cursor_after(page.next_cursor)})


@router.get(
    "/edits/{edit_id}",
    operation_id="get_edit",
    summary="Look at an edit",
    response_model=EditView,
    responses={
        304: {"description": "Unchanged since `If-None-Match`."},
        **problems(
            ErrorCode.INVALID_REQUEST, ErrorCode.EDIT_NOT_FOUND, ErrorCode.LEDGER_UNAVAILABLE
        ),
    },
)
async def get_edit(
    edit_id: str,
    http: Request,
    service: ServiceDependency,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Seconds to wait for the edit to be final.")
    ] = 0,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The edit as it stands, or as it stands once it is final or `wait` is over."""
    if not is_edit_id(edit_id):
        raise EditNotFoundError(edit_id)
    if wait:
        await until_final(service, edit_id, wait_s=wait, is_gone=http.is_disconnected)
    response = _json(await run_in_threadpool(_found, service, edit_id))
    etag = etag_of(bytes(response.body))
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if is_known(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response


def _considered(service: Service, request: EditRequest) -> tuple[ModelView, Admission]:
    presence = service.ledger.presence
    model = model_for(request, presence.models())
    counter = service.tokens.of(model)
    return model, admission_of(request, model, workers=presence.workers(), counter=counter)


def _found(service: Service, edit_id: str) -> EditView:
    view = service.ledger.find(edit_id)
    if view is None:
        raise EditNotFoundError(edit_id)
    return view


def _json(view: EditView, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        content=view.model_dump_json(),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )
