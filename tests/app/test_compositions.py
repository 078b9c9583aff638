"""`POST /checkpoints`: edits put together, followed and canceled."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from redis import Redis

from contract.ledger.attempts import Attempts, CancelAskedError
from contract.ledger.ledger import Ledger
from contract.ledger.retention import Retention
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointView, Part
from contract.wire.composition import ComposeRequest, Composition, Retest
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import Outcome
from contract.wire.serving import ModelView, WorkerView
from contract.wire.views import EditResult, Metrics

Publish = Callable[..., str]
UNKNOWN = "edit-" + "0" * 28


def post(api: httpx.Client, *edits: str, **more: Any) -> httpx.Response:
    return api.post("/checkpoints", json={"edits": edits, **more})


def test_a_composition_is_accepted_and_followed_at_its_own_url(
    api: httpx.Client, publish: Publish, ledger: Ledger
) -> None:
    edits = [publish(), publish()]

    accepted = post(api, *edits, metadata={"team": "search"})

    seen = api.get(accepted.headers["Location"]).json()
    assert accepted.status_code == 202
    assert accepted.headers["Location"] == f"/checkpoints/{accepted.json()['id']}"
    assert (seen["status"], seen["edits"], seen["model"]) == ("queued", edits, "demo")
    assert seen["metadata"] == {"team": "search"}
    assert seen["queue"]["position"] is not None
    assert accepted.json()["id"] in ledger.queue("demo").ids()


def test_a_composition_is_no_edit_and_is_not_listed_as_one(
    api: httpx.Client, publish: Publish
) -> None:
    edit_id = publish()

    post(api, edit_id)

    listed = [edit["id"] for edit in api.get("/edits").json()["items"]]
    assert edit_id in listed
    assert all(found.startswith("edit-") for found in listed)


def test_the_same_key_composes_once(api: httpx.Client, publish: Publish) -> None:
    edits, headers = [publish(), publish()], {"Idempotency-Key": "k"}

    first = api.post("/checkpoints", json={"edits": edits}, headers=headers)
    again = api.post("/checkpoints", json={"edits": edits}, headers=headers)
    other = api.post("/checkpoints", json={"edits": edits[:1]}, headers=headers)

    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


def test_the_same_key_finds_what_was_published_and_what_was_taken_away(
    api: httpx.Client,
    publish: Publish,
    store: CheckpointStore,
    checkpoint: CheckpointView,
    attempts: Attempts,
) -> None:
    edit_id, headers = publish(), {"Idempotency-Key": "k"}
    composed_id = api.post("/checkpoints", json={"edits": [edit_id]}, headers=headers).json()["id"]
    attempt = attempts.claim(composed_id, worker_id="worker-1")
    assert attempt is not None
    store.commit(checkpoint.model_copy(update={"id": composed_id}))
    nothing = Composition(outcome=Outcome.HELD, retests=())
    attempts.succeed(attempt, nothing, checkpoint_id=composed_id)

    published = api.post("/checkpoints", json={"edits": [edit_id]}, headers=headers)
    store.remove(composed_id)
    removed = api.post("/checkpoints", json={"edits": [edit_id]}, headers=headers)

    told = api.get("/openapi.json").json()["paths"]["/checkpoints"]["post"]["responses"]
    kinds = told["202"]["content"]["application/json"]["schema"]["anyOf"]
    assert {kind["$ref"].split("/")[-1] for kind in kinds} == {"CheckpointView", "CompositionView"}
    assert (published.status_code, published.json()["id"]) == (202, composed_id)
    assert (removed.status_code, removed.json()["code"]) == (404, "checkpoint_not_found")
    assert {"404", "410"} <= told.keys()


def test_what_came_of_it_is_shown_once_it_is_published(
    api: httpx.Client,
    publish: Publish,
    store: CheckpointStore,
    checkpoint: CheckpointView,
    attempts: Attempts,
) -> None:
    edit_id = publish()
    composed_id = post(api, edit_id).json()["id"]
    retest = Retest(
        edit_id=edit_id, outcome=Outcome.HELD, before="Paris.", after="Rome.", metrics=Metrics()
    )
    result = Composition(outcome=Outcome.HELD, retests=(retest,))
    whole = {
        "id": composed_id,
        "edit_id": None,
        "request": ComposeRequest(edits=(edit_id,)),
        "parts": (Part(edit_id=edit_id, first_rank=0, end_rank=1),),
        "result": result,
    }
    committed = store.commit(checkpoint.model_copy(update=whole))
    attempt = attempts.claim(composed_id, worker_id="worker-1")
    assert attempt is not None
    attempts.succeed(attempt, result, checkpoint_id=composed_id)

    seen = api.get(f"/checkpoints/{composed_id}", params={"wait": 10})

    store.remove(composed_id)
    assert CheckpointView.model_validate_json(seen.content) == committed
    assert seen.json()["status"] == "succeeded"
    assert seen.json()["result"]["retests"][0]["after"] == "Rome."
    assert api.get(f"/checkpoints/{composed_id}").status_code == 404


def test_a_waiting_composition_is_canceled_at_once(
    api: httpx.Client, publish: Publish, ledger: Ledger
) -> None:
    composed_id = post(api, publish()).json()["id"]

    response = api.post(f"/checkpoints/{composed_id}/cancel")
    again = api.post(f"/checkpoints/{composed_id}/cancel")

    assert (response.status_code, response.json()["status"]) == (200, "canceled")
    assert composed_id not in ledger.queue("demo").ids()
    assert (again.status_code, again.json()["code"]) == (409, "edit_final")
    assert again.json()["edit_status"] == "canceled"


def test_a_running_composition_is_canceling_until_its_worker_stops(
    api: httpx.Client, publish: Publish, attempts: Attempts
) -> None:
    composed_id = post(api, publish()).json()["id"]
    attempt = attempts.claim(composed_id, worker_id="worker-1")
    assert attempt is not None

    response = api.post(f"/checkpoints/{composed_id}/cancel")
    with pytest.raises(CancelAskedError):
        attempts.check(attempt)
    attempts.cancel(attempt)

    assert (response.status_code, response.json()["status"]) == (202, "canceling")
    assert response.headers["Location"] == f"/checkpoints/{composed_id}"
    assert api.get(f"/checkpoints/{composed_id}").json()["status"] == "canceled"


def test_what_happened_to_a_composition_is_listed_and_fed_to_its_end(
    api: httpx.Client, publish: Publish
) -> None:
    composed_id = post(api, publish()).json()["id"]
    api.post(f"/checkpoints/{composed_id}/cancel")
    path = f"/checkpoints/{composed_id}/events"

    listed = [event["type"] for event in api.get(path).json()["items"]]
    with api.stream("GET", path, headers={"Accept": "text/event-stream"}) as response:
        fed = [line for line in response.iter_lines() if line.startswith("event: ")]

    assert listed == ["queued", "canceled"]
    assert fed == ["event: queued", "event: canceled"]


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/events"), ("POST", "/cancel")])
def test_a_composition_that_ended_long_ago_without_a_checkpoint_is_gone(
    api: httpx.Client, publish: Publish, redis: Redis, method: str, path: str
) -> None:
    composed_id = post(api, publish()).json()["id"]
    api.post(f"/checkpoints/{composed_id}/cancel")
    Retention(redis, keep_s=60, clock=lambda: time.time() + 31_536_000).forget_old()

    response = api.request(method, f"/checkpoints/{composed_id}{path}")

    assert (response.status_code, response.json()["code"]) == (410, "edit_gone")


@pytest.mark.parametrize(("method", "what"), [("POST", "cancel"), ("GET", "events")])
def test_the_checkpoint_of_a_single_edit_is_no_composition(
    api: httpx.Client, publish: Publish, method: str, what: str
) -> None:
    checkpoint_id = checkpoint_id_of(publish())

    response = api.request(method, f"/checkpoints/{checkpoint_id}/{what}")

    assert (response.status_code, response.json()["code"]) == (404, "checkpoint_not_found")
    assert "a single edit goes by its own id" in response.json()["detail"]


@pytest.mark.parametrize(
    "edits", [[], [UNKNOWN, UNKNOWN], ["ckpt-" + "0" * 28], ["../x"], "x", [UNKNOWN + "\n"], [1]]
)
def test_what_names_no_edits_is_refused(
    api: httpx.Client, served: ModelView, edits: object
) -> None:
    response = api.post("/checkpoints", json={"edits": edits})

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    "part",
    [
        {"metadata": {"a": "x" * 10_001}},
        {"deadline_s": 0},
        {"deadline_s": 10**12},
        {"require_held": 1},
        {"model": "x" * 201},
        {"edits": ["edit-" + f"{n:028x}" for n in range(201)]},
    ],
    ids=str,
)
def test_a_field_past_its_limits_is_refused_by_name(
    api: httpx.Client, publish: Publish, part: dict[str, Any]
) -> None:
    response = api.post("/checkpoints", json={"edits": [publish()]} | part)

    (name,) = part
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["pointer"].startswith(f"#/{name}")


def test_a_composition_is_not_composed_as_if_it_were_an_edit(
    api: httpx.Client, publish: Publish
) -> None:
    of_its_id = publish(edit_id=None, request=ComposeRequest(edits=("edit-" + "0" * 28,)))

    response = post(api, publish(), of_its_id)

    assert (response.status_code, response.json()["code"]) == (409, "edit_not_published")
    assert response.json()["errors"][0]["pointer"] == "#/edits/1"


def test_an_edit_without_a_checkpoint_is_named(api: httpx.Client, publish: Publish) -> None:
    response = post(api, publish(), UNKNOWN)

    assert (response.status_code, response.json()["code"]) == (409, "edit_not_published")
    assert response.json()["errors"][0]["pointer"] == "#/edits/1"


@pytest.mark.parametrize("changed", [{"model": "other"}, {"base_digest": "1" * 64}])
def test_edits_of_another_model_are_not_put_together(
    api: httpx.Client, publish: Publish, changed: dict[str, str]
) -> None:
    response = post(api, publish(), publish(**changed))

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["pointer"] == "#/edits/1"


def test_without_a_worker_nothing_is_composed(
    api: httpx.Client, publish: Publish, ledger: Ledger
) -> None:
    edit_id = publish()
    ledger.presence.remove_worker("worker-1")

    response = post(api, edit_id)

    assert (response.status_code, response.json()["code"]) == (503, "no_worker")


@pytest.mark.parametrize("rank", [0, 2, 7, 1024, "8", True, 8.5])
def test_a_rank_that_vllm_does_not_take_is_refused(
    api: httpx.Client, publish: Publish, fact: dict[str, Any], rank: object
) -> None:
    composed = post(api, publish(), pad_rank=rank)
    edited = api.post("/edits", json=fact | {"pad_rank": rank})

    assert (composed.status_code, edited.status_code) == (422, 422)


def test_an_edit_result_and_a_composition_are_told_apart(result: EditResult) -> None:
    composition = Composition(outcome=Outcome.HELD, retests=())

    assert Composition.model_validate_json(composition.model_dump_json()) == composition
    with pytest.raises(ValueError, match="extra"):
        Composition.model_validate_json(result.model_dump_json())


def test_edits_that_fit_no_budget_together_are_refused_with_the_whole_account(
    api: httpx.Client, publish: Publish, ledger: Ledger, worker: WorkerView
) -> None:
    edits = [publish(), publish()]
    ledger.presence.publish_worker(worker.model_copy(update={"budget_bytes": 10}), ttl_s=60)

    response = post(api, *edits)

    admission = response.json()["admission"]
    assert (response.status_code, response.json()["code"]) == (422, "memory_infeasible")
    assert "2 edits together take" in response.json()["detail"]
    assert admission["predicted_peak_bytes"] == sum(i["bytes"] for i in admission["items"])


def test_a_composition_tells_what_it_will_take(api: httpx.Client, publish: Publish) -> None:
    accepted = post(api, publish())

    assert accepted.json()["admission"]["decision"] == "admit"


def test_an_edit_on_a_base_is_estimated_with_its_columns(
    api: httpx.Client, publish: Publish, fact: dict[str, Any]
) -> None:
    on_base = api.post("/edits:estimate", json=fact | {"base": checkpoint_id_of(publish())}).json()

    assert "base_columns" in {item["name"] for item in on_base["items"]}
