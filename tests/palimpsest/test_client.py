"""The client against a service in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract.settings import Settings
from contract.wire.edits import EditRequest
from contract.wire.lifecycle import EditStatus
from contract.wire.limits import Limits
from palimpsest.client import Client
from palimpsest.errors import (
    BusyError,
    DownloadError,
    NotFoundError,
    ServiceError,
    UnexpectedAnswerError,
    UnreachableError,
    WaitTimeoutError,
)
from palimpsest.transport.retries import Retries

ProblemMaker = Callable[..., httpx.Response]
REQUEST = EditRequest(prompt="The capital of France is", target_new="Rome")


class Sleeper:
    """Remembers how long it would have slept."""

    def __init__(self) -> None:
        self.slept_s: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept_s.append(seconds)


@pytest.fixture
def sleeper() -> Sleeper:
    return Sleeper()


@pytest.fixture
def client(service: Any, sleeper: Sleeper) -> Client:
    return Client(
        "http://service",
        transport=httpx.MockTransport(service),
        retries=Retries(most=3, base_s=0.1),
        sleep=sleeper,
    )


def test_a_service_that_is_not_ready_tells_why(
    client: Client, service: Any, a_problem: ProblemMaker
) -> None:
    check = {"name": "weights", "ok": False, "required": True, "detail": "changed in w-1"}
    untold = [a_problem(500, "internal"), a_problem(500, "internal", checks=5)]
    service.hiccups = [a_problem(503, "internal", checks=[check]), *untold]

    (told,) = client.readiness()

    assert told.model_dump() == check
    for _ in untold:
        with pytest.raises(ServiceError):
            client.readiness()


def test_an_edit_is_made_and_awaited(client: Client) -> None:
    made = client.edits.create(REQUEST)

    ended = client.edits.wait(made.id)

    assert made.status is EditStatus.QUEUED
    assert ended.status is EditStatus.SUCCEEDED
    assert ended.after == "Rome."


def test_only_what_was_set_is_sent(client: Client, service: Any) -> None:
    client.edits.create(REQUEST)

    sent = service.requests[-1]

    assert sent.content == b'{"prompt":"The capital of France is","target_new":"Rome"}'


def test_a_lost_answer_does_not_make_a_second_edit(client: Client, service: Any) -> None:
    def lose_the_first_answer(request: httpx.Request) -> httpx.Response:
        answer = service(request)
        if len(service.requests) == 1:
            raise httpx.ReadError("connection reset", request=request)
        return answer

    transport = httpx.MockTransport(lose_the_first_answer)
    client = Client("http://service", transport=transport, sleep=lambda _: None)

    made = client.edits.create(REQUEST)

    assert made.id == "edit-1"
    assert len(service.requests) == 2
    assert list(service.edits) == ["edit-1"]


def test_the_callers_idempotency_key_is_sent(client: Client, service: Any) -> None:
    client.edits.create(REQUEST, idempotency_key="mine")

    assert service.requests[-1].headers["Idempotency-Key"] == "mine"


def test_each_creation_has_a_key_of_its_own(client: Client, service: Any) -> None:
    client.edits.create(REQUEST)
    client.edits.create(REQUEST)

    assert len(service.by_key) == 2


def test_busy_is_tried_again_after_the_pause_that_was_asked_for(
    client: Client, service: Any, sleeper: Sleeper, a_problem: ProblemMaker
) -> None:
    service.hiccups += [
        a_problem(429, "queue_full", headers={"Retry-After": "7"}),
        a_problem(503, "ledger_unavailable", headers={"Retry-After": "2"}),
        httpx.ConnectError("refused"),
    ]

    client.edits.create(REQUEST)

    assert sleeper.slept_s[:2] == [7.0, 2.0]
    assert len(sleeper.slept_s) == 3
    assert len(service.edits) == 1


def test_after_the_last_try_the_problem_is_raised(
    client: Client, service: Any, a_problem: ProblemMaker
) -> None:
    service.hiccups += [a_problem(429, "queue_full", detail="full") for _ in range(4)]

    with pytest.raises(BusyError, match="queue_full: full"):
        client.edits.create(REQUEST)

    assert len(service.requests) == 4


def test_a_refusal_is_not_tried_again(client: Client, service: Any, sleeper: Sleeper) -> None:
    with pytest.raises(NotFoundError):
        client.edits.get("edit-9")

    assert len(service.requests) == 1
    assert sleeper.slept_s == []


def test_a_service_that_is_not_there_is_unreachable(client: Client, service: Any) -> None:
    service.hiccups += [httpx.ConnectError("refused") for _ in range(4)]

    with pytest.raises(UnreachableError, match="no answer from http://service: refused"):
        client.workers()


def test_an_id_cannot_lead_to_another_path(client: Client, service: Any) -> None:
    with pytest.raises(NotFoundError):
        client.edits.get("../livez")

    assert service.requests[-1].url.raw_path == b"/edits/..%2Flivez"


def test_what_a_newer_service_adds_is_passed_over(
    client: Client, service: Any, edit: Callable[..., Any]
) -> None:
    newer = edit().model_dump(mode="json") | {"invented_later": 1}
    service.hiccups.append(httpx.Response(200, json=newer))

    assert client.edits.get("edit-1").id == "edit-1"


def test_an_edit_that_failed_by_a_code_of_a_newer_service_hides_no_others(
    client: Client, service: Any, failed_edit: Callable[..., Any]
) -> None:
    newer = failed_edit().model_dump(mode="json")
    newer["error"]["code"] = "invented_later"
    known = failed_edit().model_dump(mode="json")
    service.hiccups.append(httpx.Response(200, json={"items": [newer, known], "next_cursor": None}))

    page = client.edits.list()

    assert [str(seen.error.code) for seen in page.items if seen.error] == [
        "invented_later",
        "no_neurons",
    ]


def test_limits_of_a_newer_service_are_read(client: Client, service: Any) -> None:
    told = Limits.of(Settings(max_queued=7)).model_dump(mode="json") | {"invented_later": {}}
    service.hiccups.append(httpx.Response(200, json=told))

    assert client.limits().service.queued == 7


def test_an_answer_that_does_not_fit_is_reported_as_such(client: Client, service: Any) -> None:
    service.hiccups.append(httpx.Response(200, json={"hello": "world"}))

    with pytest.raises(UnexpectedAnswerError, match="world"):
        client.models()


def test_waiting_ends_with_an_error_when_time_is_up(client: Client) -> None:
    made = client.edits.create(REQUEST)

    with pytest.raises(WaitTimeoutError, match="edit-1 is not done after 0 s"):
        client.edits.wait(made.id, timeout_s=0)


def test_following_shows_each_look_and_ends_with_the_final_one(client: Client) -> None:
    made = client.edits.create(REQUEST)

    seen = [view.status for view in client.edits.follow(made.id)]

    assert seen == [EditStatus.QUEUED, EditStatus.SUCCEEDED]


def test_a_long_poll_is_given_the_time_that_it_asks_for(client: Client, service: Any) -> None:
    client.edits.create(REQUEST)

    client.edits.get("edit-1", wait_s=20)

    sent = service.requests[-1]
    assert sent.url.query == b"wait=20"
    assert sent.extensions["timeout"]["read"] == 30.0


def test_filters_are_sent_when_they_are_given(client: Client, service: Any) -> None:
    client.edits.list(status=EditStatus.FAILED, limit=5)

    assert service.requests[-1].url.query == b"status=failed&limit=5"


def test_events_are_read(client: Client) -> None:
    client.edits.create(REQUEST)

    assert [event.type for event in client.edits.history("edit-1")] == ["queued"]


def test_a_checkpoint_is_downloaded_whole(client: Client, service: Any, tmp_path: Path) -> None:
    service.files = {"adapter_config.json": b"{}", "deep/er/weights.bin": b"\x00\x01"}

    client.checkpoints.download("ckpt-1", tmp_path)

    assert (tmp_path / "adapter_config.json").read_bytes() == b"{}"
    assert (tmp_path / "deep/er/weights.bin").read_bytes() == b"\x00\x01"
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


def test_a_file_that_is_not_what_the_manifest_says_is_not_kept(
    client: Client, service: Any, tmp_path: Path
) -> None:
    service.files = {"weights.bin": b"good"}
    service.served_files = {"weights.bin": b"evil"}

    with pytest.raises(DownloadError, match=r"'weights\.bin' arrived with SHA-256"):
        client.checkpoints.download("ckpt-1", tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "a\\b", "c:evil", ""])
def test_no_manifest_leads_out_of_the_directory(
    path: str, client: Client, service: Any, tmp_path: Path
) -> None:
    service.files = {path: b"evil"}

    with pytest.raises(DownloadError, match="is not a path inside a checkpoint"):
        client.checkpoints.download("ckpt-1", tmp_path / "in")

    assert not (tmp_path / "evil").exists()


def test_a_download_that_breaks_off_is_begun_anew(
    client: Client, service: Any, tmp_path: Path
) -> None:
    service.files = {"weights.bin": b"good"}
    whole = service.manifest()
    service.hiccups += [
        httpx.Response(200, content=whole.model_dump_json()),
        httpx.Response(200, stream=BreaksOff()),
    ]

    client.checkpoints.download("ckpt-1", tmp_path)

    assert (tmp_path / "weights.bin").read_bytes() == b"good"


class BreaksOff(httpx.SyncByteStream):
    """A body that ends too early."""

    def __iter__(self) -> Any:
        yield b"go"
        raise httpx.ReadError("connection reset")


EDITS = tuple(f"edit-{n:028x}" for n in (1, 2))


def test_edits_are_composed_and_the_end_is_awaited(client: Client, service: Any) -> None:
    made = client.checkpoints.compose(EDITS, require_held=True, pad_rank=8)

    ended = client.checkpoints.wait(made.id)

    sent = next(request for request in service.requests if request.method == "POST")
    assert sent.content == (
        b'{"edits":["%s","%s"],"require_held":true,"pad_rank":8}' % tuple(map(str.encode, EDITS))
    )
    assert "Idempotency-Key" in sent.headers
    assert (made.status, ended.status) == (EditStatus.QUEUED, EditStatus.FAILED)


def test_a_composition_that_became_a_checkpoint_is_its_manifest(client: Client) -> None:
    assert client.checkpoints.wait("ckpt-1") == client.checkpoints.get("ckpt-1")


def test_checkpoints_are_listed_and_taken_away(client: Client, service: Any) -> None:
    page = client.checkpoints.list(limit=5)
    client.checkpoints.delete("ckpt-1")

    assert [checkpoint.id for checkpoint in page.items] == ["ckpt-1"]
    assert service.requests[-1].method == "DELETE"
