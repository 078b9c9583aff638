"""`/edits/{id}/events`: the list and the feed."""

import json
from collections.abc import Callable, Iterator
from threading import Timer
from typing import Any

import httpx
import pytest

from contract.ledger.attempts import Attempts
from contract.wire.lifecycle import Phase
from contract.wire.serving import ModelView
from contract.wire.views import EventList

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def edit_id(api: httpx.Client, served: ModelView, fact: dict[str, Any]) -> str:
    return str(api.post("/edits", json=fact).json()["id"])


def told(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """The events of a feed, each as its fields."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = value
        elif not line and "data" in fields:
            yield fields
            fields = {}


def test_events_are_listed_oldest_first(
    api: httpx.Client, edit_id: str, finish: Callable[[str], None]
) -> None:
    finish(edit_id)

    response = api.get(f"/edits/{edit_id}/events")

    events = EventList.model_validate_json(response.content).items
    assert response.headers["Content-Type"] == "application/json"
    assert [event.type for event in events] == ["queued", "started", "succeeded"]


def test_a_list_can_start_after_an_event(
    api: httpx.Client, edit_id: str, finish: Callable[[str], None]
) -> None:
    finish(edit_id)
    first = api.get(f"/edits/{edit_id}/events").json()["items"][0]["id"]

    rest = api.get(f"/edits/{edit_id}/events", params={"after": first}).json()["items"]

    assert [event["type"] for event in rest] == ["started", "succeeded"]


def test_a_feed_tells_events_as_they_happen_and_ends_with_the_final_one(
    api: httpx.Client,
    edit_id: str,
    attempts: Attempts,
    finish: Callable[[str], None],
) -> None:
    later = Timer(0.3, finish, [edit_id])
    later.start()

    with api.stream("GET", f"/edits/{edit_id}/events", headers=STREAM) as response:
        events = list(told(response.iter_lines()))

    later.join()
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert [event["event"] for event in events] == ["queued", "started", "succeeded"]
    final = json.loads(events[-1]["data"])
    assert final["id"] == events[-1]["id"]
    assert final["data"]["outcome"] == "held"


def test_a_feed_resumes_after_the_last_event_id(
    api: httpx.Client, edit_id: str, attempts: Attempts, finish: Callable[[str], None]
) -> None:
    seen = api.get(f"/edits/{edit_id}/events").json()["items"][-1]["id"]
    finish(edit_id)

    headers = STREAM | {"Last-Event-ID": seen}
    with api.stream("GET", f"/edits/{edit_id}/events?after=0", headers=headers) as response:
        events = list(told(response.iter_lines()))

    assert [event["event"] for event in events] == ["started", "succeeded"]


def test_a_feed_that_was_told_to_its_end_has_no_content_left(
    api: httpx.Client, edit_id: str, finish: Callable[[str], None]
) -> None:
    finish(edit_id)
    last = api.get(f"/edits/{edit_id}/events").json()["items"][-1]["id"]

    response = api.get(f"/edits/{edit_id}/events", headers=STREAM | {"Last-Event-ID": last})

    assert (response.status_code, response.content) == (204, b"")


def test_a_quiet_feed_sends_a_heartbeat(api: httpx.Client, edit_id: str) -> None:
    with api.stream("GET", f"/edits/{edit_id}/events", headers=STREAM) as response:
        comment = next(line for line in response.iter_lines() if line.startswith(":"))

    assert comment == ": still waiting"


def test_a_feed_tells_each_phase(api: httpx.Client, edit_id: str, attempts: Attempts) -> None:
    attempt = attempts.claim(edit_id, worker_id="worker-1")
    assert attempt is not None
    attempts.enter(attempt, Phase.COLLECT)

    with api.stream("GET", f"/edits/{edit_id}/events", headers=STREAM) as response:
        phase = next(event for event in told(response.iter_lines()) if event["event"] == "phase")

    assert json.loads(phase["data"])["data"] == {"phase": "collect"}


@pytest.mark.parametrize("event_id", ["x", "1-", "-1", "1-2-3", "9" * 20, "+", "$", "١"])
def test_an_event_id_that_is_none_is_refused(
    api: httpx.Client, edit_id: str, event_id: str
) -> None:
    asked = api.get(f"/edits/{edit_id}/events", params={"after": event_id})
    resumed = api.get(
        f"/edits/{edit_id}/events", headers={b"Last-Event-ID": event_id.encode("utf-8")}
    )

    assert (asked.status_code, asked.json()["errors"][0]["pointer"]) == (422, "?after")
    assert (resumed.status_code, resumed.json()["errors"][0]["pointer"]) == (422, "Last-Event-ID")


def test_the_largest_event_id_has_nothing_after_it(api: httpx.Client, edit_id: str) -> None:
    largest = "9" * 18 + "-" + "9" * 18

    response = api.get(f"/edits/{edit_id}/events", params={"after": largest})

    assert (response.status_code, response.json()) == (200, {"items": []})


@pytest.mark.parametrize("headers", [{}, STREAM])
def test_the_events_of_an_unknown_edit_are_not_found(
    api: httpx.Client, headers: dict[str, str]
) -> None:
    response = api.get("/edits/edit-" + "0" * 28 + "/events", headers=headers)

    assert (response.status_code, response.json()["code"]) == (404, "edit_not_found")
