"""Problem documents: every way to ask wrongly."""

import http.client
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from contract.wire.serving import ModelView

Serve = Callable[..., httpx.Client]
Fact = dict[str, Any]
JSON = {"Content-Type": "application/json"}


def problem_of(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document of a response, its constant parts checked."""
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["type"] == f"urn:palimpsest:problem:{problem['code']}"
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert problem["title"]
    assert problem["detail"]
    return problem


def test_what_is_wrong_is_pointed_at_in_the_body(api: httpx.Client) -> None:
    body = {"prompt": " ", "hparams": {"steps": 0, "a/b~c": 1}, "protect_prompts": ["ok", 3]}

    problem = problem_of(api.post("/edits", json=body), 422)

    assert problem["code"] == "invalid_request"
    assert problem["instance"] == "/edits"
    assert {error["pointer"]: error["detail"] for error in problem["errors"]} == {
        "#/prompt": "is blank",
        "#/target_new": "Field required",
        "#/protect_prompts/1": "Input should be a valid string",
        "#/hparams/steps": "Input should be greater than or equal to 1",
        "#/hparams/a~1b~0c": "Extra inputs are not permitted",
    }


def test_a_rule_over_two_fields_points_at_their_parent(api: httpx.Client, fact: Fact) -> None:
    body = fact | {"hparams": {"adaptive_threshold": 0.5, "adaptive_threshold_max": 0.2}}

    problem = problem_of(api.post("/edits", json=body), 422)

    assert problem["errors"] == [
        {
            "pointer": "#/hparams",
            "detail": "adaptive_threshold is above adaptive_threshold_max",
        }
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"prompt": NaN, "target_new": "a"}',
        b'{"prompt": "a", "target_new": "b", "metadata": {"x": NaN}}',
        b'{"prompt": "a", "target_new": "b", "metadata": {"x": Infinity}}',
        b'{"prompt": "a", "target_new": "b", "metadata": {"x": [-1e999]}}',
        b'{"prompt": "a", "target_new": "b", "metadata": {"x": ' + b"9" * 5000 + b"}}",
        b'{"prompt": "\\ud800", "target_new": "b"}',
        b'{"prompt": "a", "target_new": "b", "metadata": {"\\ud800": 1}}',
        b'{"prompt": "a", "target_new": "b", "metadata": {"x": "\\udfff"}}',
        b'{"\\ud800": 1}',
        b'{"prompt": "\xff"}',
        b'{"prompt": "a", "target_new": "b", "metadata": {"x": ' + b"[" * 300 + b"]" * 300 + b"}}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[]",
        b"null",
        b'"text"',
        b"1",
    ],
    ids=range(20),
)
def test_a_body_that_is_no_request_is_refused(
    api: httpx.Client, served: ModelView, body: bytes
) -> None:
    problem = problem_of(api.post("/edits", content=body, headers=JSON), 422)

    assert problem["code"] == "invalid_request"
    assert problem["errors"][0]["pointer"].startswith("#")


@pytest.mark.parametrize(
    "metadata",
    [
        {"x": "\N{GRINNING FACE} \x00"},
        {"x": 1e308, "y": -0.5},
        {"x": int("9" * 4300)},
        {"x": "y" * 9000},
        {"": None},
    ],
    ids=range(5),
)
def test_odd_metadata_comes_back_as_it_was_sent(
    api: httpx.Client, served: ModelView, fact: Fact, metadata: dict[str, Any]
) -> None:
    created = api.post("/edits", json=fact | {"metadata": metadata}).json()

    found = api.get(f"/edits/{created['id']}").json()

    assert created["metadata"] == metadata
    assert found["metadata"] == metadata


def test_metadata_nested_as_deep_as_may_be_comes_back(
    api: httpx.Client, served: ModelView, fact: Fact
) -> None:
    deep: list[Any] = []
    for _ in range(48):
        deep = [deep]

    created = api.post("/edits", json=fact | {"metadata": {"x": deep}})
    listed = api.get("/edits")

    assert created.status_code == 202
    assert listed.json()["items"][0]["metadata"] == {"x": deep}


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "json", "", "application"]
)
def test_a_body_that_does_not_say_it_is_json_is_refused(
    api: httpx.Client, content_type: str
) -> None:
    content = b'{"prompt": "a", "target_new": "b"}'

    response = api.post("/edits", content=content, headers={"Content-Type": content_type})

    assert problem_of(response, 422)["errors"][0]["pointer"] == "Content-Type"


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/x+json"])
def test_json_by_another_name_is_taken(
    api: httpx.Client, served: ModelView, content_type: str
) -> None:
    content = b'{"prompt": "a", "target_new": "b"}'

    response = api.post("/edits", content=content, headers={"Content-Type": content_type})

    assert response.status_code == 202


def test_a_path_that_does_not_exist_is_not_found(api: httpx.Client) -> None:
    problem = problem_of(api.get("/nowhere/caf\xe9"), 404)

    assert problem["code"] == "not_found"
    assert problem["instance"] == "/nowhere/caf%C3%A9"


def test_a_slash_too_many_is_not_found_instead_of_sent_elsewhere(api: httpx.Client) -> None:
    assert problem_of(api.get("/edits/"), 404)["code"] in ("not_found", "edit_not_found")
    assert problem_of(api.get("/models/"), 404)["code"] == "not_found"


def test_a_method_that_is_not_allowed_is_told_which_are(api: httpx.Client) -> None:
    response = api.request("DELETE", "/edits")

    assert problem_of(response, 405)["code"] == "method_not_allowed"
    assert response.headers["Allow"] == "GET, POST"


def test_a_body_that_declares_too_much_is_refused_before_it_is_sent(serve: Serve) -> None:
    url = serve(max_body_bytes=1000).base_url
    connection = http.client.HTTPConnection(url.host, url.port or 80, timeout=10)
    connection.putrequest("POST", "/edits")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "1001")
    connection.endheaders()

    response = connection.getresponse()

    body = response.read()
    connection.close()
    assert response.status == 413
    assert b'"payload_too_large"' in body


def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large(serve: Serve) -> None:
    url = serve(max_body_bytes=1000).base_url
    connection = http.client.HTTPConnection(url.host, url.port or 80, timeout=10)
    connection.putrequest("POST", "/edits")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    connection.send(b"3e9\r\n" + b" " * 1001 + b"\r\n")  # 0x3e9 = 1001, and no end in sight

    response = connection.getresponse()

    body = response.read()
    connection.close()
    assert response.status == 413
    assert b'"payload_too_large"' in body


def test_a_body_of_just_the_largest_size_is_taken(
    serve: Serve, served: ModelView, fact: Fact
) -> None:
    client = serve(max_body_bytes=1000)
    body = b'{"prompt": "a", "target_new": "b"}'

    def chunks() -> Iterator[bytes]:
        yield body
        yield b" " * (1000 - len(body))

    declared = client.post("/edits", content=body.ljust(1000), headers=JSON)
    chunked = client.post("/edits", content=chunks(), headers=JSON)

    assert (declared.status_code, chunked.status_code) == (202, 202)


def test_a_large_body_of_a_get_is_refused_too(serve: Serve) -> None:
    client = serve(max_body_bytes=1000)

    response = client.request("GET", "/models", content=b"x" * 1001)

    assert problem_of(response, 413)["code"] == "payload_too_large"
