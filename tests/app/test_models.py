"""`/models` and `/workers`."""

import json
from typing import Any

import httpx
from pydantic import BaseModel

from contract.ledger.ledger import Ledger, names
from contract.wire.serving import ModelView, WorkerView


def test_models_are_listed_with_their_workers_and_queued_edits(
    api: httpx.Client, served: ModelView, fact: dict[str, Any]
) -> None:
    api.post("/edits", json=fact)

    (listed,) = api.get("/models").json()["items"]

    assert (listed["name"], listed["workers"], listed["queued"]) == ("demo", 1, 1)
    assert listed["shape"]["n_layer"] == 2


def test_a_model_stays_listed_when_its_worker_is_gone(
    api: httpx.Client, served: ModelView, ledger: Ledger
) -> None:
    ledger.presence.remove_worker("worker-1")

    assert [item["workers"] for item in api.get("/models").json()["items"]] == [0]
    assert api.get("/workers").json() == {"items": []}


def test_what_a_later_version_tells_besides_is_passed_over(
    api: httpx.Client, served: ModelView, worker: WorkerView, ledger: Ledger
) -> None:
    def later(view: BaseModel) -> str:
        return json.dumps(view.model_dump(mode="json") | {"invented_later": 1})

    ledger.redis.hset(names.MODELS, served.name, later(served))
    ledger.redis.set(names.worker(worker.id), later(worker))

    assert [item["name"] for item in api.get("/models").json()["items"]] == [served.name]
    assert [item["id"] for item in api.get("/workers").json()["items"]] == [worker.id]


def test_a_worker_and_a_model_of_a_later_version_hide_no_other(
    api: httpx.Client,
    served: ModelView,
    worker: WorkerView,
    ledger: Ledger,
    fact: dict[str, Any],
) -> None:
    later = worker.model_dump(mode="json") | {"id": "worker-2", "state": "dreaming"}
    ledger.redis.sadd(names.WORKERS, "worker-2")
    ledger.redis.set(names.worker("worker-2"), json.dumps(later))
    ledger.redis.hset(names.MODELS, "another", json.dumps({"name": "another"}))

    assert [item["name"] for item in api.get("/models").json()["items"]] == [served.name]
    assert [item["id"] for item in api.get("/workers").json()["items"]] == [worker.id]
    assert api.get("/readyz").status_code == 200
    assert api.post("/edits", json=fact).status_code == 202


def test_live_workers_are_listed(api: httpx.Client, served: ModelView, worker: WorkerView) -> None:
    (listed,) = api.get("/workers").json()["items"]

    assert WorkerView.model_validate(listed) == worker
