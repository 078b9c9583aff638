"""What is answered when something the service needs is not there."""

import errno
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from redis import Redis
from served_api import served_api

from contract.ledger.ledger import Ledger, names
from contract.settings import Settings
from contract.store.shelf import Shelf
from contract.store.store import CheckpointStore
from contract.wire.serving import ModelView, WorkerState, WorkerView

Serve = Callable[..., httpx.Client]
Fact = dict[str, Any]
NO_CKPT = "ckpt-" + "0" * 28


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/edits"),
        ("POST", "/edits:estimate"),
        ("GET", "/edits"),
        ("GET", "/edits/edit-" + "0" * 28),
        ("GET", "/edits/edit-" + "0" * 28 + "?wait=5"),
        ("GET", "/edits/edit-" + "0" * 28 + "/events"),
        ("GET", "/models"),
        ("GET", "/workers"),
    ],
)
def test_without_redis_the_ledger_is_unavailable(
    serve: Serve, tmp_path: Path, fact: Fact, method: str, path: str
) -> None:
    client = serve(redis_url=f"unix://{tmp_path}/nothing.sock")

    response = client.request(method, path, json=fact if method == "POST" else None)

    assert response.status_code == 503
    assert response.json()["code"] == "ledger_unavailable"
    assert response.headers["Retry-After"] == "2"
    assert str(tmp_path) not in response.text


def test_without_redis_the_process_is_alive_but_not_ready(serve: Serve, tmp_path: Path) -> None:
    client = serve(redis_url=f"unix://{tmp_path}/nothing.sock")

    alive = client.get("/livez")
    ready = client.get("/readyz")

    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert ready.status_code == 503
    assert ready.json()["code"] == "ledger_unavailable"
    assert [(check["name"], check["ok"]) for check in ready.json()["checks"]] == [
        ("redis", False),
        ("schema", False),
        ("store", True),
        ("workers", False),
    ]


def test_a_load_balancer_may_ask_for_the_head_alone(serve: Serve, tmp_path: Path) -> None:
    client = serve(redis_url=f"unix://{tmp_path}/nothing.sock")

    alive, ready = client.head("/livez"), client.head("/readyz")

    assert (alive.status_code, alive.content) == (200, b"")
    assert (ready.status_code, ready.content) == (503, b"")


def test_without_redis_the_figures_say_so_and_the_alert_can_fire(
    serve: Serve, tmp_path: Path
) -> None:
    client = serve(redis_url=f"unix://{tmp_path}/nothing.sock")
    client.get("/edits")

    told = client.get("/metrics")

    assert told.status_code == 200
    assert 'palimpsest_ready{check="redis"} 0.0' in told.text
    assert 'palimpsest_ready{check="store"} 1.0' in told.text
    assert 'palimpsest_http_requests_total{method="GET",status="503"}' in told.text
    assert "palimpsest_edits{" not in told.text


def test_a_redis_that_is_out_of_memory_gives_no_false_202(
    api: httpx.Client, served: ModelView, ledger: Ledger, redis: Redis, fact: Fact
) -> None:
    redis.config_set("maxmemory", "1")
    try:
        response = api.post("/edits", json=fact)
    finally:
        redis.config_set("maxmemory", "0")

    assert (response.status_code, response.json()["code"]) == (503, "ledger_unavailable")
    assert ledger.page().items == ()
    assert len(ledger.queue("demo")) == 0


def test_a_redis_that_only_reads_gives_no_false_202(
    api: httpx.Client, served: ModelView, redis: Redis, fact: Fact
) -> None:
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        response = api.post("/edits", json=fact)
        ready = api.get("/readyz")
    finally:
        redis.execute_command("REPLICAOF", "NO", "ONE")

    assert (response.status_code, response.json()["code"]) == (503, "ledger_unavailable")
    assert ready.status_code == 503


@pytest.mark.parametrize(
    ("command", "back", "told"),
    [
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "refuses writes (READONLY)"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "refuses writes (OOM)"),
        (
            "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0",
            "refuses writes (NOREPLICAS)",
        ),
    ],
)
def test_a_redis_that_takes_no_writes_is_unready_and_its_figures_are_still_told(
    api: httpx.Client, served: ModelView, redis: Redis, command: str, back: str, told: str
) -> None:
    api.get("/readyz")  # claims the empty Redis, after which the schema need not be written
    redis.execute_command(*command.split())
    try:
        ready, metrics = api.get("/readyz"), api.get("/metrics")
    finally:
        redis.execute_command(*back.split())

    assert (ready.status_code, ready.json()["code"]) == (503, "ledger_unavailable")
    assert ready.json()["detail"] == "not ready: redis"
    assert ready.json()["checks"][0]["detail"] == told
    assert 'palimpsest_ready{check="redis"} 0.0' in metrics.text
    assert 'palimpsest_workers{model="demo",state="idle"} 1.0' in metrics.text


def test_a_ledger_of_another_version_is_not_written(
    api: httpx.Client, served: ModelView, redis: Redis, ledger: Ledger, fact: Fact
) -> None:
    redis.set(names.SCHEMA, "999")

    response = api.post("/edits", json=fact)
    ready = api.get("/readyz")

    assert (response.status_code, response.json()["code"]) == (503, "ledger_unavailable")
    assert ledger.page().items == ()
    schema = next(check for check in ready.json()["checks"] if check["name"] == "schema")
    assert schema["detail"] == response.json()["detail"]
    assert schema["detail"] == (
        "Redis holds a ledger of schema 999, this version needs schema 1: "
        "run one version everywhere, or use another Redis"
    )


def test_a_full_queue_asks_the_caller_to_come_back(
    serve: Serve, served: ModelView, fact: Fact
) -> None:
    client = serve(max_queued=1)
    client.post("/edits", json=fact)

    response = client.post("/edits", json=fact)

    assert (response.status_code, response.json()["code"]) == (429, "queue_full")
    assert response.headers["Retry-After"] == "10"


def test_a_full_queue_still_finds_what_a_key_made_before(
    serve: Serve, served: ModelView, fact: Fact
) -> None:
    client = serve(max_queued=1)
    first = client.post("/edits", json=fact, headers={"Idempotency-Key": "once"})

    again = client.post("/edits", json=fact, headers={"Idempotency-Key": "once"})

    assert again.status_code == 202
    assert again.json()["id"] == first.json()["id"]


def test_ready_means_that_redis_the_schema_and_the_store_are_well(
    api: httpx.Client, served: ModelView
) -> None:
    response = api.get("/readyz")

    assert response.status_code == 200
    assert response.json()["status"] == "ready"
    assert [(check["name"], check["ok"]) for check in response.json()["checks"]] == [
        ("redis", True),
        ("schema", True),
        ("store", True),
        ("workers", True),
    ]


def test_a_missing_worker_is_reported_but_is_not_unready(api: httpx.Client) -> None:
    response = api.get("/readyz")

    assert response.status_code == 200
    assert response.json()["checks"][3] == {
        "name": "workers",
        "ok": False,
        "required": False,
        "detail": "0 alive",
    }


@pytest.mark.parametrize("in_the_way", ["store", "store/manifests", "store/blobs"])
def test_a_store_that_cannot_be_written_is_unready(
    serve: Serve, tmp_path: Path, in_the_way: str
) -> None:
    (tmp_path / in_the_way).parent.mkdir(exist_ok=True)
    (tmp_path / in_the_way).write_text("not a directory")
    client = serve(data_dir=tmp_path / "store")

    response = client.get("/readyz")

    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    assert response.json()["detail"] == "not ready: store"
    assert response.headers["Retry-After"] == "2"


class Hanging(MemoryFileSystem):  # type: ignore[misc]
    """A service that hangs when it is tried, until it is told to answer."""

    protocol = "hanging"
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.answers = Event()

    def pipe_file(self, path: str, *asked: object, **told: object) -> None:
        if ".probe." in path:
            self.answers.wait()
        super().pipe_file(path, *asked, **told)


def test_a_store_that_hangs_is_unready_and_holds_up_nothing_else(
    redis_url: str, served: ModelView, fact: Fact, tmp_path: Path
) -> None:
    store, fs = CheckpointStore(tmp_path), Hanging()
    store.shelf = Shelf(fs, f"/{tmp_path.name}")

    with (
        served_api(Settings(redis_url=redis_url, data_dir=tmp_path), store) as url,
        httpx.Client(base_url=url, timeout=20) as client,
        ThreadPoolExecutor(45) as pool,
    ):
        try:
            asked = list(pool.map(lambda _: client.get("/readyz"), range(45)))
            post, listed = client.post("/edits", json=fact), client.get("/edits")
            told = client.get("/metrics").text
        finally:
            fs.answers.set()
        after = client.get("/readyz")

    assert {response.status_code for response in asked} == {503}
    assert asked[0].json()["checks"][2]["detail"].startswith("no answer for ")
    assert (post.status_code, len(listed.json()["items"])) == (202, 1)
    assert 'palimpsest_ready{check="store"} 0.0' in told
    assert after.status_code == 200


class Filling(MemoryFileSystem):  # type: ignore[misc]
    """A disk that may be full: what is of the size of an adapter then has no room."""

    protocol = "filling"
    cachable = False
    is_full = True

    def pipe_file(self, path: str, value: bytes, *asked: object, **told: object) -> None:
        if self.is_full and len(value) > 4096:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        super().pipe_file(path, value, *asked, **told)


def test_a_store_that_is_full_gives_no_false_202_until_there_is_room(
    redis_url: str, served: ModelView, ledger: Ledger, fact: Fact, tmp_path: Path
) -> None:
    store, fs = CheckpointStore(tmp_path), Filling()
    store.shelf = Shelf(fs, f"/{tmp_path.name}")

    with (
        served_api(Settings(redis_url=redis_url, data_dir=tmp_path), store) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        ready, refused = client.get("/readyz"), client.post("/edits", json=fact)
        n_edits = len(ledger.page().items)
        fs.is_full = False
        taken = client.post("/edits", json=fact)
        fs.is_full = True
        again = client.post("/edits", json=fact)

    store_check = ready.json()["checks"][2]
    assert (ready.status_code, store_check["detail"]) == (503, "is full (No space left on device)")
    assert (refused.status_code, refused.json()["code"]) == (503, "store_full")
    assert refused.headers["Retry-After"] == "2"
    assert n_edits == 0
    assert taken.status_code == 202
    assert (again.status_code, again.json()["code"]) == (503, "store_full")


def test_an_unexpected_error_tells_its_id_and_nothing_of_the_inside(
    api: httpx.Client,
    redis: Redis,
    served: ModelView,
    fact: Fact,
    caplog: pytest.LogCaptureFixture,
) -> None:
    edit_id = api.post("/edits", json=fact).json()["id"]
    redis.xadd(names.events(edit_id), {"broken": "this is no event"})

    with caplog.at_level(logging.ERROR):
        response = api.get(f"/edits/{edit_id}/events", headers={"X-Request-ID": "my-request"})

    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert response.json()["request_id"] == response.headers["X-Request-ID"] == "my-request"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Traceback" not in response.text
    assert "broken" not in response.text
    assert "unexpected_error" in caplog.messages
    assert any(record.exc_info for record in caplog.records)


def test_a_worker_whose_weights_changed_is_unready_and_counts_for_none(
    api: httpx.Client, ledger: Ledger, model: ModelView, worker: WorkerView, fact: Fact
) -> None:
    ledger.presence.publish_model(model)
    tainted = worker.model_copy(update={"state": WorkerState.TAINTED})
    ledger.presence.publish_worker(tainted, ttl_s=60)

    ready = api.get("/readyz")
    post = api.post("/edits", json=fact)

    assert (ready.status_code, ready.json()["detail"]) == (503, "not ready: weights")
    assert "0 alive" in [check["detail"] for check in ready.json()["checks"]]
    assert (post.status_code, post.json()["code"]) == (503, "no_worker")

    ledger.presence.forget_tainted(host=worker.host, model="demo", device="cpu")
    ledger.presence.publish_worker(worker, ttl_s=60)

    assert api.get("/readyz").status_code == 200


def test_a_store_that_is_away_is_reported_as_such_and_served_again_once_it_is_back(
    serve: Serve, tmp_path: Path
) -> None:
    root, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    client = serve(data_dir=root)
    root.rename(elsewhere)

    asked = [client.get(path) for path in ("/readyz", "/checkpoints", f"/checkpoints/{NO_CKPT}")]

    assert [response.status_code for response in asked] == [503, 503, 503]
    assert {response.json()["code"] for response in asked} == {"store_unavailable"}
    assert {response.headers["Retry-After"] for response in asked} == {"2"}
    assert "the expected store is missing" in asked[0].json()["checks"][2]["detail"]
    assert not root.exists()

    elsewhere.rename(root)

    assert client.get("/readyz").status_code == 200
    assert client.get("/checkpoints").json()["items"] == []
    assert client.get(f"/checkpoints/{NO_CKPT}").status_code == 404
