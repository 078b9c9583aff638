"""`/checkpoints`: listed, built on, and taken away."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from app.checkpoint_errors import CheckpointInUseError
from app.jobs.tokens import TokenCounters
from app.readiness import Readiness
from app.routes.checkpoints import delete_checkpoint
from app.service import Service
from contract.ledger import names
from contract.ledger.attempts import Attempts
from contract.ledger.errors import RemovalOverdueError
from contract.ledger.ledger import Ledger
from contract.settings import Settings
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointView, Part
from contract.wire.composition import ComposeRequest
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.limits import Limits
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
    request = ComposeRequest(edits=(UNKNOWN,))
    composed = checkpoint_id_of(publish(edit_id=None, parts=(gone,), request=request))

    response = api.post("/edits", json=fact | {"base": composed})

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
    composed = {
        "edit_id": None,
        "parts": (Part(edit_id=first, first_rank=0, end_rank=1),),
        "request": ComposeRequest(edits=(first,)),
    }
    above = checkpoint_id_of(publish(**(composed if how == "part" else {"base": below})))

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


class InterruptedStore(CheckpointStore):
    """Something else happens while its manifests are read."""

    def __init__(self, location: Path, *, meanwhile: Callable[[], None]) -> None:
        super().__init__(location)
        self._meanwhile = meanwhile

    def readable(self, ids: Iterable[str], *, newer_too: bool = False) -> Iterator[CheckpointView]:
        self._meanwhile()
        return super().readable(ids, newer_too=newer_too)


@pytest.fixture
def service(ledger: Ledger, store: CheckpointStore) -> Service:
    """The service without a server around it."""
    return Service(
        ledger=ledger,
        attempts=Attempts(ledger.redis, lease_s=6.0),
        store=store,
        tokens=TokenCounters(store),
        readiness=Readiness(ledger, store),
        limits=Limits.of(Settings()),
    )


def interrupted(service: Service, data_dir: Path, meanwhile: Callable[[], None]) -> Service:
    return replace(service, store=InterruptedStore(data_dir, meanwhile=meanwhile))


def test_nothing_is_accepted_on_a_checkpoint_while_it_is_taken_away(
    api: httpx.Client, publish: Publish, service: Service, _data_dir: Path, fact: dict[str, Any]
) -> None:
    edit_id = publish()
    below = checkpoint_id_of(edit_id)
    failed = api.post("/edits", json=fact | {"base": below}).json()["id"]
    api.post(f"/edits/{failed}/cancel")
    answers: list[httpx.Response] = []

    def meanwhile() -> None:
        answers.append(api.post("/edits", json=fact | {"base": below}))
        answers.append(api.post(f"/edits/{failed}/retry"))
        answers.append(api.post("/checkpoints", json={"edits": [edit_id]}))

    delete_checkpoint(below, interrupted(service, _data_dir, meanwhile))

    edit, retry, composition = (answer.json() for answer in answers)
    assert [answer.status_code for answer in answers] == [422, 422, 409]
    assert (edit["code"], edit["errors"][0]["pointer"]) == ("invalid_request", "#/base")
    assert edit["detail"] == f"#/base: {below} is being taken away"
    assert retry["detail"] == edit["detail"]
    assert composition["code"] == "edit_not_published"
    assert composition["errors"][0]["pointer"] == "#/edits/0"
    assert api.get(f"/checkpoints/{below}").status_code == 404


def test_what_is_made_before_by_the_same_key_is_found_while_its_base_is_taken_away(
    api: httpx.Client, publish: Publish, ledger: Ledger, fact: dict[str, Any]
) -> None:
    below = checkpoint_id_of(publish())
    once = {"headers": {"Idempotency-Key": "k"}, "json": fact | {"base": below}}
    made = api.post("/edits", **once).json()["id"]

    with ledger.removing([below]):
        again = api.post("/edits", **once)

    assert (again.status_code, again.json()["id"]) == (202, made)


def test_a_checkpoint_whose_removal_was_refused_can_be_built_on(
    api: httpx.Client, publish: Publish, redis: Redis, fact: dict[str, Any]
) -> None:
    below = checkpoint_id_of(publish())
    api.post("/edits", json=fact | {"base": below})

    refused = api.delete(f"/checkpoints/{below}")
    accepted = api.post("/edits", json=fact | {"base": below})

    assert (refused.status_code, accepted.status_code) == (409, 202)
    assert redis.exists(names.removing(below)) == 0


def test_a_removal_that_is_refused_leaves_the_mark_of_another(
    api: httpx.Client, publish: Publish, service: Service, fact: dict[str, Any]
) -> None:
    below = checkpoint_id_of(publish())
    api.post("/edits", json=fact | {"base": below})

    with service.ledger.removing([below]):
        with pytest.raises(CheckpointInUseError):
            delete_checkpoint(below, service)
        answer = api.post("/edits", json=fact | {"base": below})

    assert answer.status_code == 422


def test_a_removal_whose_mark_was_lost_removes_nothing(
    api: httpx.Client, publish: Publish, service: Service, _data_dir: Path, redis: Redis
) -> None:
    below = checkpoint_id_of(publish())

    with pytest.raises(RemovalOverdueError):
        delete_checkpoint(below, interrupted(service, _data_dir, redis.flushall))

    assert api.get(f"/checkpoints/{below}").status_code == 200


def test_the_mark_of_a_checkpoint_that_is_gone_expires_by_itself(
    api: httpx.Client, publish: Publish, redis: Redis
) -> None:
    below = checkpoint_id_of(publish())

    api.delete(f"/checkpoints/{below}")

    assert 0 < redis.ttl(names.removing(below)) <= 600


def test_nothing_is_taken_away_while_a_manifest_is_of_a_later_schema(
    api: httpx.Client, publish: Publish, store: CheckpointStore, checkpoint: CheckpointView
) -> None:
    below = checkpoint_id_of(publish())
    newer = {"id": "ckpt-" + "f" * 28, "schema_version": 2, "base": below}
    manifest = checkpoint.model_copy(update=newer).model_dump_json()
    store.shelf.create(f"manifests/{newer['id']}.json", manifest.encode())

    taken = api.delete(f"/checkpoints/{below}")
    asked = api.get(f"/checkpoints/{newer['id']}")

    for refused in (taken, asked):
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        assert "has schema 2, this version reads 1" in refused.json()["detail"]
    assert api.get(f"/checkpoints/{below}").status_code == 200
