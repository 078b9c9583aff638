"""Canceling an edit, and trying one again."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from redis import Redis

from contract.ledger.attempts import Attempt, AttemptLostError, Attempts, CancelAskedError
from contract.ledger.ledger import Ledger, names
from contract.ledger.retention import Retention
from contract.store.errors import WithheldError
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointView, Part
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import Phase
from contract.wire.serving import ModelView
from contract.wire.views import EditFailure, EditResult

Fact = dict[str, Any]
UNKNOWN = "edit-" + "0" * 28


@pytest.fixture
def edit_id(api: httpx.Client, served: ModelView, fact: Fact) -> str:
    """An edit that waits."""
    return str(api.post("/edits", json=fact).json()["id"])


@pytest.fixture
def running(attempts: Attempts, edit_id: str) -> Attempt:
    """A first attempt at it."""
    attempt = attempts.claim(edit_id, worker_id="worker-1")
    assert attempt is not None
    return attempt


def fail(attempts: Attempts, attempt: Attempt) -> None:
    message = "none was found"
    attempts.fail(attempt, EditFailure(code=ErrorCode.NO_NEURONS, message=message, retryable=False))


def test_a_waiting_edit_is_canceled_at_once(
    api: httpx.Client, ledger: Ledger, redis: Redis, edit_id: str
) -> None:
    response = api.post(f"/edits/{edit_id}/cancel")

    edit = response.json()
    assert (response.status_code, edit["status"]) == (200, "canceled")
    assert edit["finished_at"] is not None
    assert len(ledger.queue("demo")) == 0
    assert not redis.exists(ledger.queue("demo").job_key(edit_id))
    assert [event.type for event in ledger.events(edit_id)] == ["queued", "canceled"]
    assert [e["id"] for e in api.get("/edits?status=canceled").json()["items"]] == [edit_id]


def test_a_running_edit_is_canceling_until_its_worker_stops(
    api: httpx.Client, ledger: Ledger, attempts: Attempts, running: Attempt
) -> None:
    response = api.post(f"/edits/{running.edit_id}/cancel")
    again = api.post(f"/edits/{running.edit_id}/cancel")

    assert (response.status_code, response.json()["status"]) == (202, "canceling")
    assert response.headers["Location"] == f"/edits/{running.edit_id}"
    assert (again.status_code, again.json()["status"]) == (202, "canceling")
    with pytest.raises(CancelAskedError):
        attempts.check(running)

    attempts.cancel(running)

    assert api.get(f"/edits/{running.edit_id}").json()["status"] == "canceled"
    types = [event.type for event in ledger.events(running.edit_id)]
    assert types == ["queued", "started", "canceling", "canceled"]


def test_what_was_published_before_the_cancel_reached_it_has_succeeded(
    api: httpx.Client, attempts: Attempts, running: Attempt, result: EditResult
) -> None:
    api.post(f"/edits/{running.edit_id}/cancel")

    attempts.succeed(running, result, checkpoint_id=checkpoint_id_of(running.edit_id))

    assert api.get(f"/edits/{running.edit_id}").json()["status"] == "succeeded"
    with pytest.raises(AttemptLostError):
        attempts.cancel(running)


@pytest.mark.parametrize("ending", ["succeeded", "failed", "canceled"])
def test_what_has_ended_cannot_be_canceled(
    api: httpx.Client, attempts: Attempts, running: Attempt, result: EditResult, ending: str
) -> None:
    match ending:
        case "succeeded":
            attempts.succeed(running, result, checkpoint_id=checkpoint_id_of(running.edit_id))
        case "failed":
            fail(attempts, running)
        case "canceled":
            api.post(f"/edits/{running.edit_id}/cancel")
            attempts.cancel(running)

    response = api.post(f"/edits/{running.edit_id}/cancel")

    assert (response.status_code, response.json()["code"]) == (409, "edit_final")
    assert response.json()["edit_status"] == ending
    assert api.get(f"/edits/{running.edit_id}").json()["status"] == ending


def test_an_edit_whose_worker_was_lost_is_canceled_and_can_never_be_published(
    api: httpx.Client,
    redis: Redis,
    store: CheckpointStore,
    running: Attempt,
    checkpoint: CheckpointView,
) -> None:
    redis.delete(names.lease(running.edit_id))

    response = api.post(f"/edits/{running.edit_id}/cancel")

    late = checkpoint.model_copy(update={"id": checkpoint_id_of(running.edit_id)})
    assert (response.status_code, response.json()["status"]) == (200, "canceled")
    with pytest.raises(WithheldError):
        store.commit(late)
    assert api.get(f"/checkpoints/{late.id}").status_code == 404


def test_an_edit_that_waits_for_its_second_attempt_is_not_canceled_once_the_first_has_published(
    api: httpx.Client,
    ledger: Ledger,
    redis: Redis,
    attempts: Attempts,
    store: CheckpointStore,
    running: Attempt,
    checkpoint: CheckpointView,
) -> None:
    redis.delete(names.lease(running.edit_id))
    attempts.requeue_stranded("demo", ledger.queue("demo"))
    late = checkpoint.model_copy(
        update={
            "id": checkpoint_id_of(running.edit_id),
            "edit_id": running.edit_id,
            "parts": (Part(edit_id=running.edit_id, first_rank=0, end_rank=1),),
        }
    )
    store.commit(late)

    response = api.post(f"/edits/{running.edit_id}/cancel")

    assert (response.status_code, response.json()["status"]) == (200, "succeeded")
    assert response.json()["checkpoint_id"] == late.id
    assert running.edit_id not in ledger.queue("demo").ids()


def test_of_many_cancels_and_one_success_one_is_final(
    api: httpx.Client, attempts: Attempts, served: ModelView, fact: Fact, result: EditResult
) -> None:
    def end(attempt: Attempt) -> None:
        try:
            attempts.enter(attempt, Phase.PUBLISH)
            attempts.succeed(attempt, result, checkpoint_id=checkpoint_id_of(attempt.edit_id))
        except CancelAskedError:
            attempts.cancel(attempt)

    for _ in range(20):
        edit_id = api.post("/edits", json=fact).json()["id"]
        attempt = attempts.claim(edit_id, worker_id="worker-1")
        assert attempt is not None
        with ThreadPoolExecutor(4) as pool:
            ended = pool.submit(end, attempt)
            asked = list(pool.map(lambda i: api.post(f"/edits/{i}/cancel"), [edit_id] * 3))
            ended.result()

        edit = api.get(f"/edits/{edit_id}").json()
        events = api.get(f"/edits/{edit_id}/events").json()["items"]
        finals = [e["type"] for e in events if e["type"] in ("succeeded", "canceled")]
        assert {response.status_code for response in asked} <= {200, 202, 409}
        assert finals == [edit["status"]]
        assert (edit["checkpoint_id"] is None) == (edit["status"] == "canceled")


def test_a_failed_edit_is_tried_again_as_a_new_one(
    api: httpx.Client, ledger: Ledger, attempts: Attempts, running: Attempt, fact: Fact
) -> None:
    fail(attempts, running)

    response = api.post(f"/edits/{running.edit_id}/retry")

    edit = response.json()
    assert response.status_code == 202
    assert response.headers["Location"] == f"/edits/{edit['id']}"
    assert edit["id"] != running.edit_id
    assert (edit["retry_of"], edit["status"], edit["attempt"]) == (running.edit_id, "queued", 0)
    assert {name: edit[name] for name in fact} == fact
    assert ledger.queue("demo").ids()[-1] == edit["id"]


def test_a_canceled_edit_is_tried_again_once_for_each_key(api: httpx.Client, edit_id: str) -> None:
    api.post(f"/edits/{edit_id}/cancel")
    headers = {"Idempotency-Key": "once"}

    first = api.post(f"/edits/{edit_id}/retry", headers=headers).json()
    again = api.post(f"/edits/{edit_id}/retry", headers=headers).json()
    other = api.post(f"/edits/{edit_id}/retry").json()

    assert first["id"] == again["id"] != other["id"]


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
def test_only_what_failed_or_was_canceled_is_tried_again(
    api: httpx.Client,
    attempts: Attempts,
    edit_id: str,
    finish: Callable[[str], None],
    state: str,
) -> None:
    if state == "running":
        attempts.claim(edit_id, worker_id="worker-1")
    elif state == "succeeded":
        finish(edit_id)

    response = api.post(f"/edits/{edit_id}/retry")

    assert (response.status_code, response.json()["code"]) == (409, "edit_not_failed")
    assert response.json()["edit_status"] == state


@pytest.mark.parametrize("verb", ["cancel", "retry"])
@pytest.mark.parametrize("edit_id", [UNKNOWN, "edit-1", "..%2f..%2fetc", "%00"])
def test_an_unknown_edit_can_be_neither_canceled_nor_tried_again(
    api: httpx.Client, verb: str, edit_id: str
) -> None:
    response = api.post(f"/edits/{edit_id}/{verb}")

    assert response.status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/retry")]
)
def test_an_edit_that_ended_long_ago_is_gone(
    api: httpx.Client,
    redis: Redis,
    edit_id: str,
    finish: Callable[[str], None],
    method: str,
    path: str,
) -> None:
    finish(edit_id)
    next_year = Retention(redis, keep_s=60, clock=lambda: time.time() + 31_536_000)
    next_year.forget_old()

    response = api.request(method, f"/edits/{edit_id}{path}")

    assert (response.status_code, response.json()["code"]) == (410, "edit_gone")


def test_a_request_of_a_later_version_is_seen_and_not_tried_again(
    api: httpx.Client, redis: Redis, fact: Fact, edit_id: str
) -> None:
    api.post(f"/edits/{edit_id}/cancel")
    later = fact | {"haste": 1}
    redis.hset(names.edit(edit_id), "request", json.dumps(later))

    seen = api.get("/edits").json()["items"]
    retried = api.post(f"/edits/{edit_id}/retry")
    asked = api.post("/edits", json=later)

    assert [edit["id"] for edit in seen] == [edit_id]
    assert (retried.status_code, retried.json()["code"]) == (422, "invalid_request")
    assert "does not know: haste" in retried.json()["detail"]
    assert asked.status_code == 422


@pytest.mark.parametrize("field", [{"status": "dreaming"}, {"admission": "torn"}])
@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "?wait=1"), ("POST", "/cancel")])
def test_an_edit_whose_record_cannot_be_read_is_reported_as_such(
    api: httpx.Client, redis: Redis, edit_id: str, field: dict[str, str], method: str, path: str
) -> None:
    redis.hset(names.edit(edit_id), mapping=field)

    response = api.request(method, f"/edits/{edit_id}{path}")

    assert (response.status_code, response.json()["code"]) == (503, "ledger_unavailable")
    assert f"the record of {edit_id} cannot be read" in response.json()["detail"]


def test_an_edit_whose_state_cannot_be_read_is_not_tried_again(
    api: httpx.Client, redis: Redis, edit_id: str
) -> None:
    redis.hset(names.edit(edit_id), "status", "dreaming")

    assert api.post(f"/edits/{edit_id}/retry").json()["code"] == "ledger_unavailable"
