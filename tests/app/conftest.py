"""A served API over a real Redis, in which the test plays the worker."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from edited_base import write_base
from redis import Redis
from served_api import served_api
from worker_views import MODEL, NOW, RESULT, WORKER

from contract.ledger.attempts import Attempts
from contract.ledger.ledger import Ledger
from contract.settings import Settings
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointView, Part
from contract.wire.ids import checkpoint_id_of
from contract.wire.serving import ModelView, WorkerView
from contract.wire.views import EditResult

Serve = Callable[..., httpx.Client]


@pytest.fixture
def serve(redis_url: str, tmp_path: Path) -> Iterator[Serve]:
    """Serve an API with settings of one's own."""
    with ExitStack() as stack:

        def serve(**settings: Any) -> httpx.Client:
            chosen: dict[str, Any] = {
                "redis_url": redis_url,
                "data_dir": tmp_path / "data",
            } | settings
            url = stack.enter_context(served_api(Settings(**chosen)))
            return stack.enter_context(httpx.Client(base_url=url, timeout=20))

        yield serve


@pytest.fixture(scope="session")
def _data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def _base_url(_redis_socket: str, _data_dir: Path) -> Iterator[str]:
    Redis(unix_socket_path=_redis_socket).flushall()  # an API before it had another store
    settings = Settings(redis_url=f"unix://{_redis_socket}?db=0", data_dir=_data_dir)
    with served_api(settings) as url:
        yield url


@pytest.fixture
def api(_base_url: str, redis_url: str, store: CheckpointStore) -> Iterator[httpx.Client]:
    """A client of the API, its ledger and its store empty."""
    with httpx.Client(base_url=_base_url, timeout=20) as client:
        yield client


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    return Ledger(redis)


@pytest.fixture
def attempts(redis: Redis) -> Attempts:
    return Attempts(redis, lease_s=6.0)


@pytest.fixture
def store(_data_dir: Path) -> CheckpointStore:
    """The store that `api` serves from, empty."""
    for folder in ("manifests", "blobs", "bases"):
        shutil.rmtree(_data_dir / folder, ignore_errors=True)
    return CheckpointStore(_data_dir)


@pytest.fixture(scope="session")
def model() -> ModelView:
    """A small Llama without a tokenizer in the store."""
    return MODEL


@pytest.fixture(scope="session")
def worker() -> WorkerView:
    """A worker of that model with a gigabyte to spend."""
    return WORKER


@pytest.fixture
def served(ledger: Ledger, model: ModelView, worker: WorkerView) -> ModelView:
    """The model, published with a live worker."""
    ledger.presence.publish_model(model)
    ledger.presence.publish_worker(worker, ttl_s=60)
    return model


@pytest.fixture
def fact() -> dict[str, Any]:
    """The body of a request."""
    return {
        "prompt": "The capital of France is",
        "ground_truth": "Paris",
        "target_new": "Rome",
        "metadata": {"team": "search"},
    }


@pytest.fixture(scope="session")
def result() -> EditResult:
    """What came of an edit that held."""
    return RESULT


@pytest.fixture
def finish(attempts: Attempts, result: EditResult) -> Callable[[str], None]:
    """Play the worker: claim an edit and end it well."""

    def finish(edit_id: str) -> None:
        attempt = attempts.claim(edit_id, worker_id="worker-1")
        assert attempt is not None
        attempts.succeed(attempt, result, checkpoint_id=checkpoint_id_of(edit_id))

    return finish


@pytest.fixture
def checkpoint(
    api: httpx.Client,
    served: ModelView,
    store: CheckpointStore,
    ledger: Ledger,
    fact: dict[str, Any],
    result: EditResult,
) -> CheckpointView:
    """A committed checkpoint of two files: 26 letters, and 600000 bytes that repeat 0..255."""
    edit_id = api.post("/edits", json=fact).json()["id"]
    record = ledger.record(edit_id)
    assert record is not None
    files = (
        store.put("adapter_config.json", b"abcdefghijklmnopqrstuvwxyz"),
        store.put("weights/adapter.safetensors", bytes(i % 256 for i in range(600_000))),
    )
    return store.commit(
        CheckpointView(
            id=checkpoint_id_of(edit_id),
            edit_id=edit_id,
            model="demo",
            base_digest="0" * 64,
            files=files,
            parts=(Part(edit_id=edit_id, first_rank=0, end_rank=1),),
            request=record.request,
            attempt=1,
            result=result,
            code_version="test",
            created_at=NOW,
        )
    )


@pytest.fixture(scope="session")
def base_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model of two shards."""
    directory = tmp_path_factory.mktemp("base")
    write_base(directory)
    return directory


@pytest.fixture
def publish(
    api: httpx.Client,
    served: ModelView,
    store: CheckpointStore,
    checkpoint: CheckpointView,
    fact: dict[str, Any],
) -> Callable[..., str]:
    """Publish a checkpoint of a new edit, on top of the parts `below`; returns the edit's id."""

    def publish(*, below: tuple[Part, ...] = (), rank: int = 1, **changes: Any) -> str:
        edit_id: str = api.post("/edits", json=fact).json()["id"]
        first_rank = below[-1].end_rank if below else 0
        own = Part(edit_id=edit_id, first_rank=first_rank, end_rank=first_rank + rank)
        whole = {"id": checkpoint_id_of(edit_id), "edit_id": edit_id, "parts": (*below, own)}
        store.commit(checkpoint.model_copy(update=whole | changes))
        return edit_id

    return publish
