"""Waiting for an edit: the long poll and the event feed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from app.errors import ApiError
from app.guards.authentication import check_key
from app.service import Service
from contract.ledger.ledger import Ledger
from contract.logs import EventLog
from contract.wire.events import LAST_EVENTS
from contract.wire.views import EditEvent

log = EventLog("app.watching")

IsGone = Callable[[], Awaitable[bool]]
"""Whether the one who waits has left."""


async def until_final(service: Service, edit_id: str, *, wait_s: float, is_gone: IsGone) -> None:
    """Return when the edit is final or unknown, time is up, or nobody waits any more; raises what
    `check_key` does."""
    pace = service.pace
    deadline = pace.clock() + wait_s
    while (left_s := deadline - pace.clock()) > 0:
        record = await run_in_threadpool(service.ledger.record, edit_id)
        if record is None or record.status.is_final:
            return
        if service.stopping.is_set() or await is_gone():
            return
        await asyncio.sleep(min(pace.poll_s, left_s))
        check_key()


class News(NamedTuple):
    """Events that were not told before, and whether any can still come."""

    events: list[EditEvent]
    is_last: bool


def news_of(ledger: Ledger, edit_id: str, *, after: str) -> News:
    """What happened to the edit past the event `after`."""
    # The status is read first: the final state and its event are written in one step, so the
    # events of an edit that is seen final are all there.
    record = ledger.record(edit_id)
    events = ledger.events(edit_id, after=after)
    if record is None:
        return News(events, is_last=True)
    told = not events or events[-1].type in LAST_EVENTS
    return News(events, is_last=record.status.is_final and told)


async def feed(
    service: Service, edit_id: str, *, after: str, is_gone: IsGone
) -> AsyncIterator[bytes]:
    """Server-sent events up to the final one; a caller that is cut off resumes by the last id,
    unless its key is no longer one."""
    pace = service.pace
    last_sent_s = pace.clock()
    yield b"retry: 1000\n\n"
    try:
        while not service.stopping.is_set() and not await is_gone():
            news = await run_in_threadpool(news_of, service.ledger, edit_id, after=after)
            for event in news.events:
                yield sse(event)
                after, last_sent_s = event.id, pace.clock()
            if news.is_last:
                return
            if pace.clock() - last_sent_s >= pace.heartbeat_s:
                yield b": still waiting\n\n"
                last_sent_s = pace.clock()
            await asyncio.sleep(pace.poll_s)
            check_key()
    except (RedisError, ApiError) as error:
        # The status line is out already: end the feed, and the caller resumes it later.
        log.warning("feed_broken", edit_id=edit_id, error=type(error).__name__)


def sse(event: EditEvent) -> bytes:
    """One event in the wire format; JSON holds no line break."""
    return f"id: {event.id}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n".encode()
