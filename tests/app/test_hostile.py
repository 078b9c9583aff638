"""Input that nobody sends by accident."""

import json
import re
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from contract.ledger.ledger import Ledger
from contract.wire.checkpoints import CheckpointView
from contract.wire.serving import ModelView

Fact = dict[str, Any]

HUB = [
    "/hub/api/models/palimpsest/{}",
    "/hub/palimpsest/{}/resolve/main/config.json",
    "/hub/palimpsest/base/resolve/{}/config.json",
]
ESCAPES = [
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cetc%5cpasswd",
    "%2fetc%2fpasswd",
    "....%2f%2fetc%2fpasswd",
    "ckpt-" + "0" * 28 + "%2f..%2f..",
    "%00",
    "edit-" + "0" * 28 + "%0a",
    "%0d%0aX-Injected:%201",
    "%ff%fe",
    "%ed%a0%80",
    "x" * 5000,
    "%F0%9F%92%A9",
    "*",
    "palimpsest:schema",
]


def raw(url: str, request: bytes) -> bytes:
    """What is answered to bytes that no client library would send."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


def routes_with_parameters(api: httpx.Client) -> list[tuple[str, str]]:
    """Method and path of every route that takes something from its path, the Hub's included."""
    described = api.get("/openapi.json").json()["paths"]
    told = [(method, path) for path, by_method in described.items() for method in by_method]
    return [(m, p) for m, p in told if "{" in p] + [("get", path) for path in HUB]


@pytest.mark.parametrize("escape", ESCAPES)
def test_no_path_parameter_leads_anywhere(
    api: httpx.Client, served: ModelView, escape: str
) -> None:
    for method, path in routes_with_parameters(api):
        response = api.request(method, re.sub(r"\{\w*\}", lambda _: escape, path))

        assert response.status_code in (404, 405, 422), (method, path)
        assert "X-Injected" not in response.headers
        assert b"root:" not in response.content


@pytest.mark.parametrize("behind", ["%0a", "%0d%0a", "%0a%0a"])
def test_a_path_with_a_line_break_behind_it_leads_nowhere(
    api: httpx.Client, served: ModelView, checkpoint: CheckpointView, behind: str
) -> None:
    described = api.get("/openapi.json").json()["paths"]
    told = [(method, path) for path, by_method in described.items() for method in by_method]
    for method, path in (*told, *(("get", path) for path in (*HUB, "/", "/docs", "/page/main.js"))):
        filled = re.sub(r"\{path\}", checkpoint.files[0].path, path)
        filled = re.sub(r"\{\w*\}", checkpoint.id, filled)

        response = api.request(method, filled + behind)

        assert response.status_code == 404, (method, filled)


@pytest.mark.parametrize("escape", ["../../../../etc/passwd", "..%2f..%2fblobs", "%2e%2e", ""])
def test_no_name_of_a_file_leads_out_of_its_checkpoint(
    api: httpx.Client, checkpoint: CheckpointView, escape: str
) -> None:
    url = str(api.base_url)
    target = f"/checkpoints/{checkpoint.id}/files/{escape}"

    answer = raw(
        url, f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )

    assert answer.startswith(b"HTTP/1.1 404")
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "headers",
    [
        b"X-Request-ID: a\r\n b",
        b"X-Request-ID: a\x0bX-Injected: 1",
        b"Idempotency-Key: a\x00b",
        b"Authorization: Bearer " + b"x" * 60_000,
        b"Range: bytes=" + b"0-1," * 5000,
        b"If-None-Match: " + b'"a",' * 5000,
        b"Content-Length: -1",
        b"Content-Length: 1e3",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"Last-Event-ID: 99999999999999999999-1",
    ],
)
def test_no_header_breaks_the_service(api: httpx.Client, served: ModelView, headers: bytes) -> None:
    request = (
        b"GET /edits HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers + b"\r\n\r\n"
    )

    answer = raw(str(api.base_url), request)

    status = int(answer.split(b" ", 2)[1]) if answer else 400  # a server may hang up on nonsense
    assert status < 500
    assert b"\r\nX-Injected" not in answer
    assert api.get("/livez").status_code == 200


def test_without_keys_a_client_older_than_host_names_is_answered(
    api: httpx.Client, served: ModelView
) -> None:
    assert raw(str(api.base_url), b"GET /edits HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")


NOT_JSON = [
    b"",
    b"{",
    b"NaN",
    b'{"prompt": NaN}',
    b'{"prompt": "a", "target_new": "b", "hparams": {"p": NaN}}',
    b'{"prompt": "a", "target_new": "b", "hparams": {"p": Infinity}}',
    b'{"prompt": "a", "target_new": "b", "metadata": {"x": 1e999}}',
    b'{"prompt": "a", "target_new": "b", "metadata": {"x": -Infinity}}',
    b'{"prompt": "\\ud800", "target_new": "b"}',
    b'{"prompt": "a\xff", "target_new": "b"}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"prompt": "a", "target_new": "b", "metadata": '
    + b'{"a":' * 5000
    + b"1"
    + b"}" * 5000
    + b"}",
    b"9" * 100_000,
    b"\x00",
    b"\xef\xbb\xbf{}",
]


@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
def test_what_is_not_json_is_refused_and_kept_nowhere(
    api: httpx.Client, served: ModelView, ledger: Ledger, body: bytes
) -> None:
    response = api.post("/edits", content=body, headers={"Content-Type": "application/json"})

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert ledger.page().items == ()


@pytest.mark.parametrize(
    "part",
    [
        {"prompt": "x" * 4001},
        {"prompt": "   "},
        {"prompt": ["a"]},
        {"prompt": None},
        {"target_new": ""},
        {"hparams": {"steps": -1}},
        {"hparams": {"steps": 10**30}},
        {"hparams": {"steps": 2.5}},
        {"hparams": {"steps": True}},
        {"hparams": {"max_neurons": -5}},
        {"hparams": {"max_neurons": 2**63}},
        {"hparams": {"adaptive_threshold": -0.5}},
        {"hparams": {"adaptive_threshold": 1e308}},
        {"hparams": {"p": "0.5"}},
        {"hparams": []},
        {"refine_prompts": ["a"] * 17},
        {"locality": [{"prompt": "a"}] * 65},
        {"metadata": {"a": "x" * 10_001}},
        {"metadata": []},
        {"deadline_s": 0},
        {"deadline_s": 1.5},
        {"deadline_s": 10**12},
        {"model": "x" * 201},
        {"base": 1},
        {"__class__": "x"},
        {"id": "edit-" + "0" * 28},
    ],
    ids=str,
)
def test_a_field_past_its_limits_is_refused_by_name(
    api: httpx.Client, served: ModelView, ledger: Ledger, fact: Fact, part: Fact
) -> None:
    response = api.post("/edits", json=fact | part)

    (name,) = part
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"].startswith(f"#/{name}")
    assert ledger.page().items == ()


def test_a_prompt_of_ten_megabytes_is_refused_before_it_is_read(
    api: httpx.Client, served: ModelView, ledger: Ledger, fact: Fact
) -> None:
    response = api.post("/edits", json=fact | {"prompt": "x" * 10_000_000})

    assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")
    assert ledger.page().items == ()


@pytest.mark.parametrize(
    "prompt",
    ["tab\tand\x0bvertical", "a\x00b", "\u202eright to left", "\x1b[31mred", "a\r\nb", "💩"],
)
def test_odd_text_comes_back_as_it_went_in(
    api: httpx.Client, served: ModelView, fact: Fact, prompt: str
) -> None:
    edit = api.post("/edits", json=fact | {"prompt": prompt, "metadata": {prompt: prompt}}).json()

    again = api.get(f"/edits/{edit['id']}")

    assert again.json()["prompt"] == prompt
    assert again.json()["metadata"] == {prompt: prompt}
    assert json.loads(again.content) == edit


@pytest.mark.parametrize("query", ["limit=-1", "limit=1e9", "limit=%00", "cursor=%00", "status=x"])
def test_odd_queries_are_refused(api: httpx.Client, served: ModelView, query: str) -> None:
    assert api.get(f"/edits?{query}").status_code == 422
