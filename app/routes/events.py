"""`/edits/{id}/events`: what happened to an edit, as a list or as a feed."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from app.edit_id import is_edit_id
from app.edit_response import missing
from app.errors import EditNotFoundError
from app.openapi import problems
from app.service import Service, ServiceDependency
from app.watching import feed, news_of
from contract.failures import ErrorCode
from contract.views import EventList

router = APIRouter(tags=["edits"])

EVENT_STREAM = "text/event-stream"
# Redis refuses ids past 64 bits, which is no failure of the ledger.
EVENT_ID = r"^[0-9]{1,18}(-[0-9]{1,18})?$"


@router.get(
    "/edits/{edit_id}/events",
    operation_id="list_events",
    summary="Follow an edit",
    response_model=EventList,
    responses={
        200: {
            "description": "A list of at most 1000, or a feed up to the final event.",
            "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
        },
        204: {"description": "The feed is over: nothing follows `Last-Event-ID`."},
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
    after: Annotated[
        str, Query(pattern=EVENT_ID, description="Only what came after this event.")
    ] = "0",
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            pattern=EVENT_ID,
            description="Resumes a feed; goes before `after`.",
        ),
    ] = None,
) -> Response:
    """JSON as a rule; with `Accept: text/event-stream` a feed that goes on to the final event."""
    if not is_edit_id(edit_id):
        raise EditNotFoundError(edit_id)
    start = last_event_id or after
    if await run_in_threadpool(service.ledger.record, edit_id) is None:
        raise await run_in_threadpool(missing, service, edit_id)
    if EVENT_STREAM not in http.headers.get("accept", "").lower():
        return await run_in_threadpool(_listed, service, edit_id, after=start)
    news = await run_in_threadpool(news_of, service.ledger, edit_id, after=start)
    if last_event_id and news.is_last and not news.events:
        return Response(status_code=204)  # an EventSource would come back for ever otherwise
    return StreamingResponse(
        feed(service, edit_id, after=start, is_gone=http.is_disconnected),
        media_type=EVENT_STREAM,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _listed(service: Service, edit_id: str, *, after: str) -> Response:
    events = EventList(items=tuple(service.ledger.events(edit_id, after=after)))
    return Response(content=events.model_dump_json(), media_type="application/json")
