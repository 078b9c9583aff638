"""`/limits`: what is told of them is what holds."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

Serve = Callable[..., httpx.Client]
Fact = dict[str, Any]


@pytest.fixture
def limits(api: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/limits").json()["request"]
    return found


@pytest.mark.parametrize(
    ("limit", "asked"),
    [
        ("prompt_chars", lambda n: {"prompt": "p" * n}),
        ("answer_chars", lambda n: {"target_new": "a" * n}),
        ("answer_chars", lambda n: {"ground_truth": "a" * n}),
        ("prompts", lambda n: {"refine_prompts": ["p"] * n}),
        ("prompts", lambda n: {"protect_prompts": ["p"] * n}),
        ("prompts", lambda n: {"rephrase_prompts": ["p"] * n}),
        ("probes", lambda n: {"locality": [{"prompt": "p"}] * n}),
        ("probes", lambda n: {"portability": [{"prompt": "p"}] * n}),
        ("steps", lambda n: {"hparams": {"steps": n}}),
        ("neurons", lambda n: {"hparams": {"max_neurons": n}}),
        ("metadata_chars", lambda n: {"metadata": {"a": "m" * (n - len(str({"a": ""})))}}),
    ],
)
def test_a_request_may_be_as_large_as_is_reported_and_no_larger(
    api: httpx.Client, fact: Fact, limits: Fact, limit: str, asked: Callable[[int], Fact]
) -> None:
    def code(n: int) -> str:
        answer: str = api.post("/edits:estimate", json=fact | asked(n)).json()["code"]
        return answer

    assert code(limits[limit]) == "no_worker"  # the request itself was taken
    assert code(limits[limit] + 1) == "invalid_request"


@pytest.mark.parametrize(
    ("limit", "path"),
    [
        ("page_items", "/edits?limit={}"),
        ("page_items", "/checkpoints?limit={}"),
        ("wait_s", "/edits/edit-" + "0" * 28 + "?wait={}"),
    ],
)
def test_a_question_may_ask_for_as_much_as_is_reported(
    api: httpx.Client, limits: Fact, limit: str, path: str
) -> None:
    assert api.get(path.format(limits[limit])).status_code in (200, 404)
    assert api.get(path.format(limits[limit] + 1)).status_code == 422


def test_a_composition_takes_so_many_edits(api: httpx.Client, limits: Fact) -> None:
    ids = [f"edit-{n:028d}" for n in range(limits["composed_edits"] + 1)]

    assert api.post("/checkpoints", json={"edits": ids}).status_code == 422
    assert api.post("/checkpoints", json={"edits": ids[1:]}).json()["code"] != "invalid_request"


def test_they_are_those_that_the_service_was_started_with(serve: Serve) -> None:
    client = serve(max_body_bytes=2000, max_attempts=5, job_timeout_s=7, store_budget_bytes=9)

    told = client.get("/limits").json()

    assert told["service"] == {
        "queued": 20_000,
        "attempts": 5,
        "attempt_s": 7,
        "memory_wait_s": 3600.0,
        "idempotency_s": 86_400,
        "retention_s": 2_592_000,
        "store_bytes": 9,
        "checkpoint_age_s": None,
        "checkpoint_count": None,
    }
    assert told["request"]["body_bytes"] == 2000
    assert client.post("/edits", content=b" " * 2001).status_code == 413


def test_they_are_reported_without_redis(serve: Serve) -> None:
    client = serve(redis_url="unix:///nowhere/nothing.sock")

    assert client.get("/limits").status_code == 200
