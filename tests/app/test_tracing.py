"""Request ids and standard headers."""

import asyncio
import json
import logging
import re

import httpx
import pytest
from starlette.responses import PlainTextResponse

from app.guards.tracing import Tracing
from contract.logs import JsonLines


@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/edits/edit-1", "/openapi.json"])
def test_every_response_carries_an_id_and_forbids_sniffing(api: httpx.Client, path: str) -> None:
    response = api.get(path)

    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "Server" not in response.headers


def test_a_sane_id_of_the_caller_is_kept(api: httpx.Client) -> None:
    response = api.get("/livez", headers={"X-Request-ID": "a-B_3.c"})

    assert response.headers["X-Request-ID"] == "a-B_3.c"


@pytest.mark.parametrize("offered", ["", "two words", "x" * 129, '{"a":1}', "caf\xe9"])
def test_any_other_id_is_replaced(api: httpx.Client, offered: str) -> None:
    response = api.get("/livez", headers={b"X-Request-ID": offered.encode("latin-1")})

    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])


def test_each_request_is_logged_with_its_facts(caplog: pytest.LogCaptureFixture) -> None:
    moments_s = iter([10.0, 12.5])
    traced = Tracing(PlainTextResponse("gone", status_code=410), clock=lambda: next(moments_s))

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(traced)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.get("/old?secret=1", headers={"X-Request-ID": "mine"})

    with caplog.at_level(logging.INFO, logger="app.request"):
        response = asyncio.run(get())

    # A server of an earlier test may still be telling of its last request.
    (record,) = [r for r in caplog.records if r.__dict__["facts"]["path"] == "/old"]
    assert response.headers["X-Request-ID"] == "mine"
    assert record.getMessage() == "request"
    assert record.__dict__["facts"] == {
        "method": "GET",
        "path": "/old",
        "status": 410,
        "duration_s": 2.5,
    }


def test_a_log_line_is_json_with_the_id_of_its_request() -> None:
    record = logging.makeLogRecord({"name": "app", "levelname": "INFO", "msg": "it\nhappened"})
    record.facts = {"path": "\ud800"}

    line = JsonLines(lambda: {"request_id": "mine"}).format(record)

    told = json.loads(line)
    assert "\n" not in line
    assert (told["event"], told["request_id"], told["path"]) == ("it\nhappened", "mine", "\ud800")
