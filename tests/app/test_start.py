"""`python -m app` as a process."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from redis import Redis

from contract.binding import is_loopback
from contract.keys import entry_of
from contract.ledger.ledger import Ledger
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission, Applied, Decision


def environment(**settings: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | settings


@contextmanager
def running(**settings: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its base URL, once it says where it listens."""
    command = [sys.executable, "-m", "app"]
    env = environment(PALIMPSEST_PORT="0", **settings)
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "Uvicorn running on" in json.loads(line)["event"]:
                yield process, json.loads(line)["event"].split()[3]
                break
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"PALIMPSEST_HOST": "0.0.0.0"}, "PALIMPSEST_ALLOW_ANONYMOUS=1"),
        ({"PALIMPSEST_PORT": "http"}, "PALIMPSEST_PORT"),
        ({"REDIS_URL": "nonsense"}, "REDIS_URL"),
        ({"REDIS_URL": "redis://h/0?socket_timeout=x"}, "socket_timeout"),
        ({"PALIMPSEST_LOG_LEVEL": "LOUD"}, "PALIMPSEST_LOG_LEVEL"),
        ({"PALIMPSEST_STORE_URL": "nonsense://kept"}, "STORE_URL: Protocol not known: nonsense"),
        ({"PALIMPSEST_STORE_URL": "ftp:///no/host"}, "PALIMPSEST_STORE_URL: tells too little"),
        ({"PALIMPSEST_API_KEYS": "pal_secret"}, "name:sha256"),
        ({"PALIMPSEST_API_KEYS_FILE": "/nowhere/keys"}, "/nowhere/keys"),
    ],
)
def test_settings_that_cannot_be_served_end_with_status_2_and_a_reason(
    settings: dict[str, str], told: str
) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "app"], env=environment(**settings), capture_output=True, text=True
    )

    assert process.returncode == 2
    (line,) = process.stderr.splitlines()
    assert line.startswith("the API cannot start: ")
    assert told in line
    assert "pal_secret" not in process.stderr
    assert process.stdout == ""


def test_a_port_that_is_taken_ends_with_status_2_and_a_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        env = environment(PALIMPSEST_PORT=str(port), REDIS_URL="redis://127.0.0.1:1")
        process = subprocess.run(
            [sys.executable, "-m", "app"], env=env, capture_output=True, text=True
        )

    assert process.returncode == 2
    assert f"the API cannot start: it cannot listen on 127.0.0.1 port {port}" in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.0.1", False),
        ("localhost.example.org", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local


def test_with_keys_it_listens_beyond_loopback(tmp_path: Path) -> None:
    settings = {
        "PALIMPSEST_HOST": "0.0.0.0",
        "PALIMPSEST_API_KEYS": entry_of("search", "pal_of-the-search-team"),
        "REDIS_URL": f"unix://{tmp_path}/nothing.sock",
        "PALIMPSEST_DATA_DIR": str(tmp_path),
    }
    with running(**settings) as (_, url):
        answer = httpx.get(url.replace("0.0.0.0", "127.0.0.1") + "/checkpoints/x")

    assert answer.status_code == 401


def test_it_starts_without_redis_beyond_loopback_when_allowed_and_logs_json(
    tmp_path: Path,
) -> None:
    settings = {
        "PALIMPSEST_HOST": "0.0.0.0",
        "PALIMPSEST_ALLOW_ANONYMOUS": "1",
        "REDIS_URL": f"unix://{tmp_path}/nothing.sock",
        "PALIMPSEST_DATA_DIR": str(tmp_path),
    }
    with running(**settings) as (process, url):
        answer = httpx.get(url.replace("0.0.0.0", "127.0.0.1") + "/livez")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)

    logged = [json.loads(line) for line in err.splitlines()]
    request = next(line for line in logged if line["event"] == "request")
    assert answer.status_code == 200
    assert request["request_id"] == answer.headers["X-Request-ID"]
    assert (request["path"], request["status"]) == ("/livez", 200)
    assert out == ""


def test_it_starts_while_the_store_refuses_to_be_called_and_says_so(redis_url: str) -> None:
    settings = {"REDIS_URL": redis_url, "PALIMPSEST_STORE_URL": "ftp://127.0.0.1:1/store"}

    with running(**settings) as (_, url):
        asked = [httpx.get(f"{url}{path}") for path in ("/readyz", "/checkpoints")]

    assert [answer.json()["code"] for answer in asked] == ["store_unavailable"] * 2
    assert "Connection refused" in asked[0].text


def test_sigterm_ends_a_feed_cleanly_and_then_the_process(redis_url: str, tmp_path: Path) -> None:
    edit_id = submitted(redis_url)
    stream = {"Accept": "text/event-stream"}

    with running(REDIS_URL=redis_url, PALIMPSEST_DATA_DIR=str(tmp_path)) as (process, url):
        with httpx.stream("GET", f"{url}/edits/{edit_id}/events", headers=stream) as response:
            lines = response.iter_lines()
            first = next(line for line in lines if line.startswith("event:"))
            process.send_signal(signal.SIGTERM)
            rest = list(lines)
        process.communicate(timeout=9)

    assert first == "event: queued"
    assert not [line for line in rest if line.startswith("event:")]


def test_an_edit_ends_at_its_deadline_while_nobody_works(redis_url: str, tmp_path: Path) -> None:
    edit_id = submitted(redis_url, deadline_s=1)

    with running(REDIS_URL=redis_url, PALIMPSEST_DATA_DIR=str(tmp_path)) as (_, url):
        edit = httpx.get(f"{url}/edits/{edit_id}?wait=20", timeout=30).json()

    assert (edit["status"], edit["error"]["code"]) == ("failed", "deadline_exceeded")


def submitted(redis_url: str, *, deadline_s: int | None = None) -> str:
    """The id of an edit that waits for a worker."""
    admission = Admission(
        decision=Decision.ADMIT,
        predicted_peak_bytes=1,
        budget_bytes=None,
        items=(),
        applied=Applied(layers_per_pass=1),
    )
    request = EditRequest(prompt="a", target_new="b", deadline_s=deadline_s)
    with Redis.from_url(redis_url) as redis:
        return Ledger(redis).submit(request, model="demo", admission=admission).edit_id


def test_a_running_api_has_no_torch_in_it(redis_url: str, tmp_path: Path) -> None:
    script = f"""
import asyncio, sys
import httpx
from redis import Redis
from app.main import create_app
from contract.ledger.ledger import Ledger
from contract.settings import Settings
from contract.store.store import CheckpointStore
import app.__main__

async def served():
    redis = Redis.from_url({redis_url!r})
    settings = Settings(redis_url={redis_url!r}, data_dir={str(tmp_path)!r})
    api = create_app(settings, ledger=Ledger(redis), store=CheckpointStore(settings.data_dir))
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        body = {{"prompt": "a", "target_new": "b"}}
        return [(await client.get("/readyz")).status_code,
                (await client.post("/edits", json=body)).status_code]

print(asyncio.run(served()))
print(sorted({{"torch", "transformers", "peft", "worker"}} & set(sys.modules)))
"""
    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert process.stdout.splitlines() == ["[200, 503]", "[]"], process.stderr
