"""`/checkpoints`: listed, built on, and taken away."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from contract.ledger.attempts import Attempts
from contract.wire.checkpoints import Part
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.views import EditFailure

Publish = Callable[..., str]
UNKNOWN = "edit-" + "0" * 28
FAILURE = EditFailure(code=ErrorCode.NO_NEURONS, message="none", retryable=False)


@pytest.mark.parametrize(
    ("base", "detail"),
    [(None, "there is no checkpoint"), ({"model": "other"}, "was made on model 'other'")],
)
def test_an_edit_on_a_checkpoint_that_cannot_carry_it_is_refused(
    api: httpx.Client,
    publish: Publish,
    fact: dict[str, Any],
    base: dict[str, str] | None,
    detail: str,
) -> None:
    edit_id = UNKNOWN if base is None else publish(**base)

    response = api.post("/edits", json=fact | {"base": checkpoint_id_of(edit_id)})

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["pointer"] == "#/base"
    assert detail in response.json()["detail"]


def test_an_edit_on_a_checkpoint_with_an_edit_that_is_gone_is_refused(
    api: httpx.Client, publish: Publish, fact: dict[str, Any]
) -> None:
    gone = Part(edit_id=UNKNOWN, first_rank=0, end_rank=1)

    response = api.post("/edits", json=fact | {"base": checkpoint_id_of(publish(parts=(gone,)))})

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert f"contains {UNKNOWN}, whose checkpoint was deleted" in response.json()["detail"]


def test_an_edit_on_a_checkpoint_is_accepted(
    api: httpx.Client, publish: Publish, fact: dict[str, Any]
) -> None:
    base = checkpoint_id_of(publish())

    response = api.post("/edits", json=fact | {"base": base})

    assert (response.status_code, response.json()["base"]) == (202, base)


def test_checkpoints_are_listed_newest_first_in_pages(api: httpx.Client, publish: Publish) -> None:
    made = [checkpoint_id_of(publish()) for _ in range(3)]

    first = api.get("/checkpoints", params={"limit": 2}).json()
    second = api.get("/checkpoints", params={"limit": 1, "cursor": first["next_cursor"]}).json()

    listed = [checkpoint["id"] for checkpoint in first["items"] + second["items"]]
    assert listed == list(reversed(made))


@pytest.mark.parametrize("cursor", ["x", "ZWRpdC0w", "é"])
def test_a_cursor_of_something_else_is_refused(api: httpx.Client, cursor: str) -> None:
    response = api.get("/checkpoints", params={"cursor": cursor})

    assert (response.status_code, response.json()["code"]) == (422, "invalid_cursor")


def test_a_checkpoint_that_is_taken_away_is_gone(api: httpx.Client, publish: Publish) -> None:
    checkpoint_id = checkpoint_id_of(publish())

    taken = api.delete(f"/checkpoints/{checkpoint_id}")

    assert (taken.status_code, taken.content) == (204, b"")
    assert api.get(f"/checkpoints/{checkpoint_id}").status_code == 404
    assert api.delete(f"/checkpoints/{checkpoint_id}").status_code == 404


@pytest.mark.parametrize("how", ["part", "base"])
def test_a_checkpoint_that_others_are_built_on_stays(
    api: httpx.Client, publish: Publish, how: str
) -> None:
    first = publish()
    below = checkpoint_id_of(first)
    part = Part(edit_id=first, first_rank=0, end_rank=1)
    above = checkpoint_id_of(publish(**({"parts": (part,)} if how == "part" else {"base": below})))

    refused = api.delete(f"/checkpoints/{below}")

    assert (refused.status_code, refused.json()["code"]) == (409, "checkpoint_in_use")
    assert refused.json()["used_by"] == [above]
    assert api.delete(f"/checkpoints/{above}").status_code == 204
    assert api.delete(f"/checkpoints/{below}").status_code == 204


@pytest.mark.parametrize("how", ["edit", "composition"])
def test_a_checkpoint_stays_as_long_as_a_job_that_is_built_on_it_has_not_ended(
    api: httpx.Client, publish: Publish, attempts: Attempts, fact: dict[str, Any], how: str
) -> None:
    first = publish()
    below = checkpoint_id_of(first)
    asked = (
        api.post("/checkpoints", json={"edits": [first]})
        if how == "composition"
        else api.post("/edits", json=fact | {"base": below})
    )
    job_id = asked.json()["id"]

    queued = api.delete(f"/checkpoints/{below}")
    attempt = attempts.claim(job_id, worker_id="worker-1")
    running = api.delete(f"/checkpoints/{below}")
    assert attempt is not None
    attempts.fail(attempt, FAILURE)
    ended = api.delete(f"/checkpoints/{below}")

    assert [r.status_code for r in (queued, running, ended)] == [409, 409, 204]
    assert queued.json()["code"] == "checkpoint_in_use"
    assert queued.json()["used_by"] == [checkpoint_id_of(job_id)]
