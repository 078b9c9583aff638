"""`/checkpoints`: listing, composing, taking away."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from contract.attempts import Attempts
from contract.checkpoints import CheckpointView, Part
from contract.composition import ComposeRequest, Composition, Retest
from contract.failures import ErrorCode
from contract.ids import checkpoint_id_of
from contract.ledger import Ledger
from contract.lifecycle import Outcome
from contract.store import CheckpointStore
from contract.views import EditFailure, EditResult, Metrics, ModelView

Publish = Callable[..., str]
UNKNOWN = "edit-" + "0" * 28
FAILURE = EditFailure(code=ErrorCode.NO_NEURONS, message="none", retryable=False)


@pytest.fixture
def publish(
    api: httpx.Client,
    served: ModelView,
    store: CheckpointStore,
    checkpoint: CheckpointView,
    fact: dict[str, Any],
) -> Publish:
    """Publish a checkpoint of a new edit; returns the edit's id."""

    def publish(**changes: Any) -> str:
        edit_id: str = api.post("/edits", json=fact).json()["id"]
        whole = {
            "id": checkpoint_id_of(edit_id),
            "edit_id": edit_id,
            "parts": (Part(edit_id=edit_id, first_rank=0, end_rank=1),),
        }
        store.commit(checkpoint.model_copy(update=whole | changes))
        return edit_id

    return publish


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


@pytest.mark.parametrize(
    "edits", [[], [UNKNOWN, UNKNOWN], ["ckpt-" + "0" * 28], ["../x"], "x", [UNKNOWN + "\n"], [1]]
)
def test_what_names_no_edits_is_refused(
    api: httpx.Client, served: ModelView, edits: object
) -> None:
    response = api.post("/checkpoints", json={"edits": edits})

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


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


@pytest.mark.parametrize("rank", [0, 2, 7, 1024, "8", True, 8.5])
def test_a_rank_that_vllm_does_not_take_is_refused(
    api: httpx.Client, publish: Publish, fact: dict[str, Any], rank: object
) -> None:
    composed = post(api, publish(), pad_rank=rank)
    edited = api.post("/edits", json=fact | {"pad_rank": rank})

    assert (composed.status_code, edited.status_code) == (422, 422)


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
        post(api, first)
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


def test_an_edit_result_and_a_composition_are_told_apart(result: EditResult) -> None:
    composition = Composition(outcome=Outcome.HELD, retests=())

    assert Composition.model_validate_json(composition.model_dump_json()) == composition
    with pytest.raises(ValueError, match="extra"):
        Composition.model_validate_json(result.model_dump_json())
