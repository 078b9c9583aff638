"""What happened to a job, as it goes out over HTTP: a list or a feed."""

from typing import Annotated, Any

from fastapi import Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from app.jobs.watching import feed, news_of
from app.service import Service
from contract.wire.views import EventList

EVENT_STREAM = "text/event-stream"
# Redis refuses ids past 64 bits, which is no failure of the ledger.
EVENT_ID = r"^[0-9]{1,18}(-[0-9]{1,18})?$"

After = Annotated[str, Query(pattern=EVENT_ID, description="Return only events after this one.")]
LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        pattern=EVENT_ID,
        description="Resumes a feed; takes precedence over `after`.",
    ),
]
DESCRIBED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A list of at most 1000 events, or a feed up to the final event.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
    },
    204: {"description": "The feed is over: no event follows `Last-Event-ID`."},
}


async def event_response(
    http: Request, service: Service, job_id: str, *, after: str, last_event_id: str | None
) -> Response:
    """A JSON list, or with `Accept: text/event-stream` a feed that ends with the final event."""
    start = last_event_id or after
    if EVENT_STREAM not in http.headers.get("accept", "").lower():
        return await run_in_threadpool(_listed, service, job_id, after=start)
    news = await run_in_threadpool(news_of, service.ledger, job_id, after=start)
    if last_event_id and news.is_last and not news.events:
        return Response(status_code=204)  # an EventSource would come back for ever otherwise
    return StreamingResponse(
        feed(service, job_id, after=start, is_gone=http.is_disconnected),
        media_type=EVENT_STREAM,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _listed(service: Service, job_id: str, *, after: str) -> Response:
    events = EventList(items=tuple(service.ledger.events(job_id, after=after)))
    return Response(content=events.model_dump_json(), media_type="application/json")
