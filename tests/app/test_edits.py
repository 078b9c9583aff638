"""`/edits`: asking, looking, listing."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Timer
from typing import Any

import httpx
import pytest
from redis import Redis

from contract.ledger.ledger import Ledger
from contract.wire.serving import ModelView, WorkerView
from contract.wire.views import EditPage, EditView

Fact = dict[str, Any]


def test_a_post_is_accepted_with_the_place_where_to_follow_it(
    api: httpx.Client, served: ModelView, fact: Fact
) -> None:
    response = api.post("/edits", json=fact)

    edit = EditView.model_validate_json(response.content)
    assert response.status_code == 202
    assert response.headers["Location"] == f"/edits/{edit.id}"
    assert response.headers["Retry-After"] == "1"
    assert (edit.status, edit.attempt, edit.target_new) == ("queued", 0, "Rome")
    assert edit.metadata == {"team": "search"}


def test_a_request_without_a_model_gets_the_only_one_and_its_record_says_so(
    api: httpx.Client, served: ModelView, ledger: Ledger, fact: Fact
) -> None:
    edit_id = api.post("/edits", json=fact).json()["id"]

    record = ledger.record(edit_id)

    assert record is not None
    assert (record.model, record.request.model) == ("demo", "demo")


def test_an_accepted_edit_stands_in_its_models_queue(
    api: httpx.Client, served: ModelView, ledger: Ledger, fact: Fact
) -> None:
    first, second = (api.post("/edits", json=fact).json() for _ in range(2))

    assert ledger.queue("demo").ids() == [first["id"], second["id"]]
    assert first["queue"] == {"position": 0, "eta_s": 2.0}
    assert second["queue"] == {"position": 1, "eta_s": 4.0}


def test_without_a_live_worker_nothing_is_accepted_but_what_a_key_made_before(
    api: httpx.Client, served: ModelView, ledger: Ledger, fact: Fact
) -> None:
    headers = {"Idempotency-Key": "once"}
    first = api.post("/edits", json=fact, headers=headers).json()
    ledger.presence.remove_worker("worker-1")

    refused = api.post("/edits", json=fact)
    again = api.post("/edits", json=fact, headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (503, "no_worker")
    assert refused.headers["Retry-After"] == "5"
    assert len(ledger.page().items) == 1
    assert (again.status_code, again.json()["id"]) == (202, first["id"])
    assert again.json()["queued_reason"] == "no_worker"


def test_erase_is_an_operation_too(api: httpx.Client, served: ModelView, fact: Fact) -> None:
    response = api.post("/edits", json=fact | {"operation": "erase"})

    assert response.status_code == 202
    assert response.json()["operation"] == "erase"


def test_the_same_key_and_body_find_the_same_edit(
    api: httpx.Client, served: ModelView, ledger: Ledger, fact: Fact
) -> None:
    headers = {"Idempotency-Key": "once"}

    first = api.post("/edits", json=fact, headers=headers)
    again = api.post("/edits", json=fact, headers=headers)

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert len(ledger.queue("demo")) == 1


def test_the_same_body_in_another_order_is_the_same(
    api: httpx.Client, served: ModelView, fact: Fact
) -> None:
    headers = {"Idempotency-Key": "once"}

    first = api.post("/edits", json=fact | {"metadata": {"a": 1, "b": 2}}, headers=headers)
    again = api.post("/edits", json=fact | {"metadata": {"b": 2, "a": 1}}, headers=headers)

    assert first.json()["id"] == again.json()["id"]


def test_the_same_key_with_another_body_is_refused(
    api: httpx.Client, served: ModelView, fact: Fact
) -> None:
    headers = {"Idempotency-Key": "once"}
    api.post("/edits", json=fact, headers=headers)

    response = api.post("/edits", json=fact | {"target_new": "Oslo"}, headers=headers)

    assert response.status_code == 422
    assert response.json()["code"] == "idempotency_mismatch"


def test_the_same_key_for_another_model_is_refused(
    api: httpx.Client, served: ModelView, ledger: Ledger, fact: Fact
) -> None:
    headers = {"Idempotency-Key": "once"}
    first = api.post("/edits", json=fact, headers=headers)
    ledger.presence.publish_model(served.model_copy(update={"name": "other"}))

    named = api.post("/edits", json=fact | {"model": "demo"}, headers=headers)
    other = api.post("/edits", json=fact | {"model": "other"}, headers=headers)

    assert (named.status_code, named.json()["id"]) == (202, first.json()["id"])
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


def test_an_edit_tells_the_request_that_made_it(
    api: httpx.Client, served: ModelView, fact: Fact
) -> None:
    edit = api.post("/edits", json=fact, headers={"X-Request-ID": "mine"}).json()

    assert edit["request_id"] == "mine"
    assert api.get(f"/edits/{edit['id']}").json()["request_id"] == "mine"


def test_fifty_posts_at_once_with_one_key_make_one_edit(
    api: httpx.Client, served: ModelView, ledger: Ledger, fact: Fact
) -> None:
    def post(_: int) -> httpx.Response:
        return api.post("/edits", json=fact, headers={"Idempotency-Key": "once"})

    with ThreadPoolExecutor(50) as pool:
        responses = list(pool.map(post, range(50)))

    assert {response.status_code for response in responses} == {202}
    assert len({response.json()["id"] for response in responses}) == 1
    assert len(ledger.queue("demo")) == 1
    assert len(ledger.page().items) == 1


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "caf\xe9", "tab\there"])
def test_a_key_that_is_not_1_to_255_visible_ascii_characters_is_refused(
    api: httpx.Client, served: ModelView, fact: Fact, key: str
) -> None:
    response = api.post("/edits", json=fact, headers={b"Idempotency-Key": key.encode("latin-1")})

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "Idempotency-Key"


def test_a_key_of_255_characters_is_taken(api: httpx.Client, served: ModelView, fact: Fact) -> None:
    response = api.post("/edits", json=fact, headers={"Idempotency-Key": "!~" + "x" * 253})

    assert response.status_code == 202


def test_an_estimate_decides_and_makes_no_edit(
    api: httpx.Client, served: ModelView, ledger: Ledger, fact: Fact
) -> None:
    response = api.post("/edits:estimate", json=fact)

    assert response.status_code == 200
    assert response.json()["decision"] == "admit"
    assert response.json()["budget_bytes"] == 1_000_000_000
    assert response.json()["predicted_peak_bytes"] > 0
    assert ledger.page().items == ()


def test_an_estimate_tells_what_easyedit_would_take_for_the_fact(
    api: httpx.Client, served: ModelView, fact: Fact
) -> None:
    def easyedit(**changes: str) -> dict[str, int]:
        told = api.post("/edits:estimate", json=fact | changes).json()["easyedit"]
        return {item["name"]: item["bytes"] for item in told["items"]}

    short, long = easyedit(ground_truth="Paris"), easyedit(ground_truth="Paris, as ever")

    assert short["weights_in_float32"] == 4 * served.n_param
    assert short["forward_graphs"] < long["forward_graphs"]


def test_an_edit_keeps_its_admission_without_easyedit(
    api: httpx.Client, served: ModelView, fact: Fact
) -> None:
    admission = api.post("/edits", json=fact).json()["admission"]

    assert admission["decision"] == "admit"
    assert "easyedit" not in admission


def test_an_estimate_of_what_does_not_fit_is_an_answer_not_an_error(
    api: httpx.Client, ledger: Ledger, model: ModelView, worker: WorkerView, fact: Fact
) -> None:
    ledger.presence.publish_model(model)
    poor = worker.model_copy(update={"budget_bytes": 10})
    ledger.presence.publish_worker(poor, ttl_s=60)

    response = api.post("/edits:estimate", json=fact)

    assert response.status_code == 200
    assert response.json()["decision"] == "reject"


def test_pages_hold_every_edit_once_newest_first(
    api: httpx.Client, served: ModelView, fact: Fact
) -> None:
    made = []
    for _ in range(5):
        made.append(api.post("/edits", json=fact).json()["id"])
        time.sleep(0.002)  # ids order by the millisecond

    seen: list[str] = []
    cursor: str | None = None
    sizes = []
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = EditPage.model_validate_json(api.get("/edits", params=params).content)
        seen += [item.id for item in page.items]
        sizes.append(len(page.items))
        cursor = page.next_cursor
        if cursor is None:
            break

    assert seen == made[::-1]
    assert sizes == [2, 2, 1]


def test_a_list_without_neurons_is_else_the_same(
    api: httpx.Client, served: ModelView, fact: Fact, finish: Callable[[str], None]
) -> None:
    finish(api.post("/edits", json=fact).json()["id"])

    (whole,) = api.get("/edits").json()["items"]
    (light,) = api.get("/edits", params={"neurons": False}).json()["items"]

    assert whole["neurons"] == [{"layer": 1, "unit": 3, "score": 0.5}]
    assert light == whole | {"neurons": None}


def test_a_list_can_be_narrowed_to_a_model_and_a_status(
    api: httpx.Client, served: ModelView, fact: Fact, finish: Callable[[str], None]
) -> None:
    done, waiting = (api.post("/edits", json=fact).json()["id"] for _ in range(2))
    finish(done)

    def ids(**params: str) -> list[str]:
        return [item["id"] for item in api.get("/edits", params=params).json()["items"]]

    assert ids(status="succeeded") == [done]
    assert ids(status="queued", model="demo") == [waiting]
    assert ids(model="other") == []


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many"])
def test_a_limit_outside_1_to_200_is_refused(api: httpx.Client, limit: str) -> None:
    response = api.get("/edits", params={"limit": limit})

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "?limit"


@pytest.mark.parametrize(
    "path",
    [
        "/edits?status=queued&status=failed",
        "/checkpoints?status=queued&status=failed",
        f"/edits/edit-{0:028x}/events?status=0&status=1",
    ],
)
def test_a_parameter_that_is_told_twice_is_refused(api: httpx.Client, path: str) -> None:
    response = api.get(path)

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    (error,) = response.json()["errors"]
    assert error == {"pointer": "?status", "detail": "is told more than once"}


@pytest.mark.parametrize("cursor", ["", "x", "....", "ZWRpdC0", "%00", "é", "A" * 5000])
def test_a_cursor_that_was_not_given_out_is_refused(api: httpx.Client, cursor: str) -> None:
    response = api.get("/edits", params={"cursor": cursor})

    assert response.status_code == 422
    assert response.json()["code"] == "invalid_cursor"


@pytest.mark.parametrize(
    "edit_id", ["edit-" + "0" * 28, "edit-1", "ckpt-" + "0" * 28, "x:events", "*", "%00", "é"]
)
def test_an_unknown_or_malformed_id_is_not_found(api: httpx.Client, edit_id: str) -> None:
    response = api.get(f"/edits/{edit_id}")

    assert response.status_code == 404
    assert response.json()["code"] == "edit_not_found"


def test_a_finished_edit_tells_what_came_of_it(
    api: httpx.Client, served: ModelView, fact: Fact, finish: Callable[[str], None]
) -> None:
    edit_id = api.post("/edits", json=fact).json()["id"]
    finish(edit_id)

    edit = api.get(f"/edits/{edit_id}").json()

    assert (edit["status"], edit["outcome"]) == ("succeeded", "held")
    assert (edit["before"], edit["after"]) == ("Paris.", "Rome.")
    assert edit["neurons"] == [{"layer": 1, "unit": 3, "score": 0.5}]
    assert edit["checkpoint_id"] == edit_id.replace("edit-", "ckpt-")
    assert edit["queue"] is None


def test_an_edit_that_is_known_already_is_not_sent_again(
    api: httpx.Client, served: ModelView, fact: Fact, finish: Callable[[str], None]
) -> None:
    edit_id = api.post("/edits", json=fact).json()["id"]
    etag = api.get(f"/edits/{edit_id}").headers["ETag"]

    unchanged = api.get(f"/edits/{edit_id}", headers={"If-None-Match": f'"old", W/{etag}'})
    finish(edit_id)
    changed = api.get(f"/edits/{edit_id}", headers={"If-None-Match": etag})

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["ETag"] == etag
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag


def test_a_long_poll_returns_as_soon_as_the_edit_is_final(
    api: httpx.Client, served: ModelView, fact: Fact, finish: Callable[[str], None]
) -> None:
    edit_id = api.post("/edits", json=fact).json()["id"]
    later = Timer(0.3, finish, [edit_id])
    later.start()

    edit = api.get(f"/edits/{edit_id}", params={"wait": 15}).json()

    later.join()
    assert edit["status"] == "succeeded"


def test_a_long_poll_returns_the_edit_as_it_is_when_time_is_up(
    api: httpx.Client, served: ModelView, fact: Fact
) -> None:
    edit_id = api.post("/edits", json=fact).json()["id"]

    response = api.get(f"/edits/{edit_id}", params={"wait": 0.1})

    assert response.status_code == 200
    assert response.json()["status"] == "queued"


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "inf", "soon"])
def test_a_wait_outside_0_to_60_seconds_is_refused(api: httpx.Client, wait: str) -> None:
    response = api.get("/edits/edit-" + "0" * 28, params={"wait": wait})

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "?wait"


def test_more_long_polls_than_threads_leave_room_for_a_quick_question(
    api: httpx.Client, served: ModelView, fact: Fact, finish: Callable[[str], None]
) -> None:
    edit_id = api.post("/edits", json=fact).json()["id"]

    with ThreadPoolExecutor(60) as pool:
        polls = [pool.submit(api.get, f"/edits/{edit_id}?wait=15") for _ in range(60)]
        quick = api.get("/models")
        finish(edit_id)
        statuses = {poll.result().json()["status"] for poll in polls}

    assert quick.status_code == 200
    assert statuses == {"succeeded"}


def test_a_record_that_vanished_while_it_was_waited_for_is_not_found(
    api: httpx.Client, served: ModelView, fact: Fact, redis: Redis
) -> None:
    edit_id = api.post("/edits", json=fact).json()["id"]
    later = Timer(0.2, redis.flushall)
    later.start()

    response = api.get(f"/edits/{edit_id}", params={"wait": 15})

    later.join()
    assert response.status_code == 404
