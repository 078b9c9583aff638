"""The events of an edit over connections that break, waited for and awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from contract.wire.views import EditEvent
from palimpsest.aio import AsyncClient
from palimpsest.client import Client
from palimpsest.errors import UnexpectedAnswerError, UnreachableError
from palimpsest.problems import EditNotFoundError
from palimpsest.transport.retries import Retries

CUT = httpx.ReadError("reset by peer")
STREAM = {"Content-Type": "text/event-stream"}


def told(event_id: str, kind: str) -> bytes:
    data = f'{{"id":"{event_id}","type":"{kind}","at":"2026-01-02T12:00:00Z","data":{{}}}}'
    return f"id: {event_id}\nevent: {kind}\ndata: {data}\n\n".encode()


QUEUED, STARTED, DONE = told("1-0", "queued"), told("2-0", "started"), told("3-0", "succeeded")


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Parts of a feed; an exception among them cuts it off."""

    def __init__(self, parts: Sequence[bytes | Exception]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            if isinstance(part, Exception):
                raise part
            yield part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part


def feed(*parts: bytes | Exception) -> httpx.Response:
    return httpx.Response(200, headers=STREAM, stream=Body((b"retry: 1000\n\n", *parts)))


@dataclass
class Station:
    """Gives its answers one after another, and remembers from where each was asked for."""

    answers: list[httpx.Response | Exception]
    resumed: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    slept_s: list[float] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.resumed.append(request.headers.get("Last-Event-ID"))
        self.paths.append(request.url.path)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


Listen = Callable[..., list[EditEvent]]


def wait_for(station: Station, of: str = "edits", **more: Any) -> list[EditEvent]:
    transport = httpx.MockTransport(station)
    retries, sleep = Retries(most=2), station.slept_s.append
    with Client("http://service", transport=transport, retries=retries, sleep=sleep) as client:
        return list(getattr(client, of).events(f"{of}-1", **more))


def await_for(station: Station, of: str = "edits", **more: Any) -> list[EditEvent]:
    async def sleep(seconds: float) -> None:
        station.slept_s.append(seconds)

    async def listen() -> list[EditEvent]:
        transport, retries = httpx.MockTransport(station), Retries(most=2)
        async with AsyncClient(
            "http://service", transport=transport, retries=retries, sleep=sleep
        ) as client:
            feed = getattr(client, of).events(f"{of}-1", **more)
            return [event async for event in feed]

    return asyncio.run(listen())


@pytest.fixture(params=[wait_for, await_for])
def listen(request: pytest.FixtureRequest) -> Listen:
    return request.param  # type: ignore[no-any-return]


def test_a_feed_is_heard_to_its_final_event(listen: Listen) -> None:
    station = Station([feed(QUEUED, b": still waiting\n\n", STARTED, DONE)])

    events = listen(station)

    assert [event.type for event in events] == ["queued", "started", "succeeded"]
    assert (station.resumed, station.slept_s) == ([None], [])


@pytest.mark.parametrize("of", ["edits", "checkpoints"])
def test_edits_and_compositions_have_feeds_of_their_own(listen: Listen, of: str) -> None:
    station = Station([feed(DONE)])

    events = listen(station, of)

    assert [event.type for event in events] == ["succeeded"]
    assert station.paths == [f"/{of}/{of}-1/events"]


def test_a_feed_that_breaks_off_goes_on_after_the_last_event(listen: Listen) -> None:
    half = DONE[:30]
    station = Station([feed(QUEUED, CUT), CUT, feed(STARTED, half, CUT), feed(DONE)])

    events = listen(station)

    assert [event.id for event in events] == ["1-0", "2-0", "3-0"]
    assert station.resumed == [None, "1-0", "1-0", "2-0"]


def test_a_feed_that_the_service_ends_early_is_asked_for_a_second_later(listen: Listen) -> None:
    station = Station([feed(QUEUED), feed(), feed(), feed(), feed(DONE)])

    assert [event.type for event in listen(station)] == ["queued", "succeeded"]
    assert station.slept_s == [1.0] * 4


def test_what_was_heard_before_is_not_told_again(listen: Listen) -> None:
    station = Station([httpx.Response(204)])

    assert listen(station, after="3-0") == []
    assert station.resumed == ["3-0"]


def test_a_feed_of_no_edit_is_an_error(
    listen: Listen, a_problem: Callable[..., httpx.Response]
) -> None:
    with pytest.raises(EditNotFoundError):
        listen(Station([a_problem(404, "edit_not_found", detail="there is none")]))


def test_a_service_that_stays_away_is_unreachable(listen: Listen) -> None:
    station = Station([feed(QUEUED, CUT), CUT, CUT])

    with pytest.raises(UnreachableError, match="reset by peer"):
        listen(station)


@pytest.mark.parametrize(
    "answer",
    [lambda: httpx.Response(200, text="<html>"), lambda: feed(b"data: {}\n\n")],
    ids=["a page", "another feed"],
)
def test_what_is_no_feed_of_events_is_told_so(
    listen: Listen, answer: Callable[[], httpx.Response]
) -> None:
    with pytest.raises(UnexpectedAnswerError):
        listen(Station([answer()]))
