"""Canceling and trying again, from the client and the command line."""

from io import StringIO
from typing import Any

import httpx
import pytest

from palimpsest.__main__ import run
from palimpsest.client import Client
from palimpsest.errors import ConflictError

EDIT: dict[str, Any] = {
    "id": "edit-1",
    "prompt": "The capital of France is",
    "target_new": "Rome",
    "status": "canceled",
    "created_at": "2026-01-02T12:00:00Z",
}

COMPOSITION: dict[str, Any] = {
    "id": "ckpt-2",
    "edits": ["edit-" + "1" * 28],
    "status": "canceled",
    "created_at": "2026-01-02T12:00:00Z",
}


class Service:
    """Answers in turn, and keeps what it was asked."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.keys: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/livez":
            return httpx.Response(200, json={"status": "alive"})
        self.asked.append(f"{request.method} {request.url.path}")
        self.keys.append(request.headers.get("Idempotency-Key"))
        return self.answers.pop(0)

    def client(self) -> Client:
        return Client("http://api", transport=httpx.MockTransport(self), sleep=lambda _: None)


def conflict(edit_status: str) -> httpx.Response:
    problem = {"code": "edit_final", "detail": "too late", "edit_status": edit_status}
    return httpx.Response(409, json=problem)


def test_a_cancel_that_was_done_by_a_call_whose_answer_was_lost_is_no_conflict() -> None:
    service = Service(conflict("canceled"), httpx.Response(200, json=EDIT))

    edit = service.client().edits.cancel("edit-1")

    assert edit.status == "canceled"
    assert service.asked == ["POST /edits/edit-1/cancel", "GET /edits/edit-1"]


def test_what_has_succeeded_cannot_be_canceled() -> None:
    with pytest.raises(ConflictError, match="too late"):
        Service(conflict("succeeded")).client().edits.cancel("edit-1")


def test_a_composition_is_canceled_as_an_edit_is() -> None:
    service = Service(conflict("canceled"), httpx.Response(200, json=COMPOSITION))

    composition = service.client().checkpoints.cancel("ckpt-2")

    assert composition.status == "canceled"
    assert service.asked == ["POST /checkpoints/ckpt-2/cancel", "GET /checkpoints/ckpt-2"]


def test_what_happened_to_a_composition_is_listed() -> None:
    event = {"id": "1-0", "type": "queued", "at": "2026-01-02T12:00:00Z", "data": {}}
    service = Service(httpx.Response(200, json={"items": [event]}))

    (queued,) = service.client().checkpoints.history("ckpt-2")

    assert queued.type == "queued"
    assert service.asked == ["GET /checkpoints/ckpt-2/events"]


def test_a_retry_that_is_sent_twice_carries_one_key() -> None:
    service = Service(
        httpx.Response(503, json={"code": "no_worker", "detail": "try again"}),
        httpx.Response(202, json=EDIT | {"id": "edit-2", "status": "queued"}),
    )

    edit = service.client().edits.retry("edit-1")

    assert edit.id == "edit-2"
    assert service.asked == ["POST /edits/edit-1/retry"] * 2
    assert service.keys[0] == service.keys[1] is not None


@pytest.mark.parametrize(
    ("argv", "answer", "printed", "asked"),
    [
        ("cancel edit-1", EDIT, "edit-1  canceled\n", "/edits/edit-1/cancel"),
        ("cancel ckpt-2", COMPOSITION, "ckpt-2  canceled\n", "/checkpoints/ckpt-2/cancel"),
        ("retry edit-1", EDIT, "edit-1\n", "/edits/edit-1/retry"),
    ],
)
def test_the_command_line_tells_what_came_of_it(
    argv: str, answer: dict[str, Any], printed: str, asked: str
) -> None:
    service, out = Service(httpx.Response(200, json=answer)), StringIO()

    status = run(
        argv.split(),
        environ={},
        out=out,
        err=StringIO(),
        transport=httpx.MockTransport(service),
    )

    assert (status, out.getvalue()) == (0, printed)
    assert service.asked == [f"POST {asked}"]
