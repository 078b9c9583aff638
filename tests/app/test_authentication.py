"""Keys at the door."""

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract.keys import entry_of
from contract.ledger.ledger import Ledger
from contract.wire.serving import ModelView

Serve = Callable[..., httpx.Client]
Fact = dict[str, Any]
KEY = "pal_of-the-search-team"
BEARER = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture
def guarded(serve: Serve) -> httpx.Client:
    """An API that asks for a key."""
    return serve(api_keys=f"{entry_of('search', KEY)},{entry_of('other', 'pal_of-others')}")


@pytest.mark.parametrize(
    "path", ["/edits", "/edits/edit-" + "0" * 28, "/models", "/checkpoints/x", "/nowhere", "/hub/x"]
)
@pytest.mark.parametrize(
    "authorization", [None, "", KEY, f"Basic {KEY}", "Bearer", "Bearer wrong", f"Bearer {KEY}x"]
)
def test_without_a_known_key_nothing_is_reported(
    guarded: httpx.Client, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    response = guarded.get(path, headers=headers)

    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="palimpsest"'
    assert response.headers["X-Request-ID"] == response.json()["request_id"]


def test_a_body_is_not_read_without_a_key(guarded: httpx.Client, ledger: Ledger) -> None:
    response = guarded.post("/edits", content=b"{" * 2_000_000)

    assert response.status_code == 401
    assert ledger.page().items == ()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_known_key_lets_in(
    guarded: httpx.Client, served: ModelView, fact: Fact, scheme: str
) -> None:
    response = guarded.post("/edits", json=fact, headers={"Authorization": f"{scheme} {KEY}"})

    assert response.status_code == 202


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/openapi.json"])
def test_health_and_the_description_are_open(guarded: httpx.Client, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_a_key_of_a_file_opens_and_closes_while_the_service_runs(
    serve: Serve, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    file.write_text(entry_of("search", KEY))
    client = serve(api_keys_file=file)

    assert client.get("/edits", headers=BEARER).status_code == 200

    file.write_text("# nobody any more")
    assert client.get("/edits", headers=BEARER).status_code == 401


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(entry_of("search", KEY))
    return file


@pytest.mark.parametrize("content", ["# nobody any more", "garbled by half a write"])
def test_a_feed_ends_when_its_key_is_taken_away(
    serve: Serve, served: ModelView, fact: Fact, keys_file: Path, content: str
) -> None:
    client = serve(api_keys_file=keys_file)
    edit_id = client.post("/edits", json=fact, headers=BEARER).json()["id"]
    headers = BEARER | {"Accept": "text/event-stream"}

    with client.stream("GET", f"/edits/{edit_id}/events", headers=headers) as feed:
        lines = feed.iter_lines()
        first = [next(lines) for _ in range(3)]
        keys_file.write_text(content)
        rest = list(lines)  # ends, or else the client's patience does

    assert first[0] == "retry: 1000"
    assert not any("succeeded" in line or "canceled" in line for line in rest)


def test_a_feed_goes_on_while_other_keys_come_and_go(
    serve: Serve, served: ModelView, fact: Fact, keys_file: Path
) -> None:
    client = serve(api_keys_file=keys_file)
    edit_id = client.post("/edits", json=fact, headers=BEARER).json()["id"]
    headers = BEARER | {"Accept": "text/event-stream"}

    with client.stream("GET", f"/edits/{edit_id}/events", headers=headers) as feed:
        lines = feed.iter_lines()
        next(lines)
        keys_file.write_text(f"{entry_of('search', KEY)}, {entry_of('other', 'pal_of-others')}")
        client.post(f"/edits/{edit_id}/cancel", headers=BEARER)
        rest = list(lines)

    assert "event: canceled" in rest


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        ("# nobody any more", (401, "unauthorized")),
        ("garbled by half a write", (503, "keys_unavailable")),
    ],
)
def test_a_long_poll_tells_nothing_once_its_key_is_taken_away(
    serve: Serve,
    served: ModelView,
    fact: Fact,
    keys_file: Path,
    content: str,
    refused: tuple[int, str],
) -> None:
    client = serve(api_keys_file=keys_file)
    edit_id = client.post("/edits", json=fact, headers=BEARER).json()["id"]

    with ThreadPoolExecutor(1) as pool:
        wait = {"params": {"wait": 60}, "headers": BEARER}
        polled = pool.submit(client.get, f"/edits/{edit_id}", **wait)
        with suppress(TimeoutError):
            polled.result(timeout=0.5)  # it waits by now
        keys_file.write_text(content)

    response = polled.result()
    assert (response.status_code, response.json()["code"]) == refused


@pytest.mark.parametrize("content", [None, "pal_secret", b"\xff\xfe"])
def test_a_file_of_keys_that_cannot_be_read_is_no_fault_of_who_asks(
    serve: Serve, tmp_path: Path, content: str | bytes | None
) -> None:
    file = tmp_path / "keys"
    file.write_text(entry_of("search", KEY))
    client = serve(api_keys_file=file, api_keys=entry_of("up", "pal_told"))
    file.unlink()
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    response = client.get("/edits", headers=BEARER)

    assert (response.status_code, response.json()["code"]) == (503, "keys_unavailable")
    assert response.headers["Retry-After"] == "2"
    assert "pal_secret" not in response.text
    assert str(tmp_path) not in response.text
    assert client.get("/edits").status_code == 401
    assert client.get("/edits", headers={"Authorization": "Bearer pal_told"}).status_code == 200

    file.write_text(f"{entry_of('search', KEY)} # mended")
    assert client.get("/edits", headers=BEARER).status_code == 200


def test_a_service_whose_keys_cannot_be_read_is_not_ready(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(entry_of("search", KEY))
    client = serve(api_keys_file=file)
    assert {"name": "keys", "ok": True, "required": True, "detail": "can be read"} in client.get(
        "/readyz"
    ).json()["checks"]

    file.write_text("garbled by half a write")
    ready = client.get("/readyz", headers=BEARER)

    told = ready.json()
    (check,) = [check for check in told["checks"] if check["name"] == "keys"]
    assert (ready.status_code, told["code"]) == (503, "keys_unavailable")
    assert told["detail"] == "not ready: keys"
    assert (check["ok"], check["detail"]) == (
        False,
        "entry 1 is not name:sha256, as `palimpsest key` prints it",
    )
    assert client.get("/livez", headers=BEARER).status_code == 200
    assert str(tmp_path) not in ready.text


def test_no_log_line_holds_a_key(guarded: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        guarded.get("/edits", headers=BEARER)
        guarded.get("/edits", headers={"Authorization": "Bearer pal_wrong"})

    told = json.dumps([record.__dict__ for record in caplog.records], default=str)
    assert KEY not in told
    assert "pal_wrong" not in told


def test_the_description_says_where_a_key_is_asked_for(
    guarded: httpx.Client, api: httpx.Client
) -> None:
    described = guarded.get("/openapi.json").json()

    assert described["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert described["paths"]["/edits"]["post"]["security"] == [{"key": []}]
    responses = described["paths"]["/edits"]["post"]["responses"]
    assert responses["401"]["description"] == "`unauthorized`"
    assert "`keys_unavailable`" in responses["503"]["description"]
    assert "`ledger_unavailable`" in responses["503"]["description"]
    assert (
        "`keys_unavailable`"
        in described["paths"]["/limits"]["get"]["responses"]["503"]["description"]
    )
    assert "security" not in described["paths"]["/livez"]["get"]
    assert "securitySchemes" not in api.get("/openapi.json").json()["components"]


def test_an_idempotency_key_is_of_the_key_it_came_with(
    guarded: httpx.Client, served: ModelView, ledger: Ledger, fact: Fact
) -> None:
    def post(key: str) -> str:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "once"}
        return str(guarded.post("/edits", json=fact, headers=headers).json()["id"])

    mine, again, of_others = post(KEY), post(KEY), post("pal_of-others")

    assert mine == again != of_others
    assert len(ledger.page().items) == 2


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
def test_without_keys_the_service_is_called_by_a_name_of_this_machine(
    api: httpx.Client, host: str
) -> None:
    assert api.get("/edits", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["stranger.example:8000", "10.0.0.7", "", "[::1", "localhost.x"])
@pytest.mark.parametrize("path", ["/", "/edits", "/hub/api/models/palimpsest/base"])
def test_a_name_that_a_stranger_made_lead_here_is_refused(
    api: httpx.Client, host: str, path: str
) -> None:
    response = api.get(path, headers={"Host": host})

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["pointer"] == "Host"


def test_with_keys_or_where_anyone_may_ask_every_name_will_do(
    guarded: httpx.Client, serve: Serve
) -> None:
    stranger = {"Host": "stranger.example"}

    assert guarded.get("/edits", headers=BEARER | stranger).status_code == 200
    assert serve(allow_anonymous=True).get("/edits", headers=stranger).status_code == 200
