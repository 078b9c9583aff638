"""A served API over a real Redis, in which the test plays the worker."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from edited_base import write_base
from redis import Redis

from app.main import create_app
from app.server import server_of
from app.service import Pace
from contract.attempts import Attempts
from contract.checkpoints import CheckpointView, Part
from contract.connection import connect
from contract.ids import checkpoint_id_of
from contract.keys import KeyRing, Keys
from contract.ledger import Ledger
from contract.lifecycle import Outcome
from contract.settings import Settings
from contract.store import CheckpointStore
from contract.views import (
    EditResult,
    MemoryItem,
    MemoryView,
    Metrics,
    ModelView,
    NeuronView,
    ShapeView,
    StageMemory,
    WorkerState,
    WorkerView,
)

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
FAST = Pace(poll_s=0.02, heartbeat_s=0.2)


@contextmanager
def _served(settings: Settings) -> Iterator[str]:
    """The base URL of an API that answers from a thread of this process."""
    stopping = threading.Event()
    redis = connect(settings.redis_url, retries=0, timeout_s=2.0)
    ledger = Ledger(
        redis,
        max_queued=settings.max_queued,
        idempotency_ttl_s=settings.idempotency_ttl_s,
    )
    store = CheckpointStore(settings.data_dir)
    keys = KeyRing(Keys.parse(settings.api_keys, source="api_keys"), settings.api_keys_file)
    app = create_app(settings, ledger=ledger, store=store, keys=keys, pace=FAST, stopping=stopping)
    server = server_of(app, host="127.0.0.1", port=0, stopping=stopping)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        redis.close()


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
            url = stack.enter_context(_served(Settings(**chosen)))
            return stack.enter_context(httpx.Client(base_url=url, timeout=20))

        yield serve


@pytest.fixture(scope="session")
def _data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def _base_url(_redis_socket: str, _data_dir: Path) -> Iterator[str]:
    settings = Settings(redis_url=f"unix://{_redis_socket}?db=0", data_dir=_data_dir)
    with _served(settings) as url:
        yield url


@pytest.fixture
def api(_base_url: str, redis_url: str, store: CheckpointStore) -> Iterator[httpx.Client]:
    """A client of the API, its ledger and its store empty."""
    with httpx.Client(base_url=_base_url, timeout=20) as client:
        yield client


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as redis:
        yield redis


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    return Ledger(redis)


@pytest.fixture
def attempts(redis: Redis) -> Attempts:
    return Attempts(redis, lease_s=6.0)


@pytest.fixture
def store(_data_dir: Path) -> CheckpointStore:
    """The store that `api` serves from, empty."""
    for folder in _data_dir.iterdir():
        shutil.rmtree(folder)
    return CheckpointStore(_data_dir)


@pytest.fixture(scope="session")
def model() -> ModelView:
    """A small Llama without a tokenizer in the store."""
    shape = ShapeView(
        n_layer=2,
        d_model=8,
        d_ff=16,
        n_head=2,
        n_kv_head=2,
        d_head=4,
        n_vocab=100,
        tied=False,
        qkv_bias=False,
        qk_norm=False,
        n_position=64,
        dtype_bytes=4,
    )
    return ModelView(
        name="demo",
        architecture="LlamaForCausalLM",
        dtype="float32",
        n_param=2_920,
        weights_bytes=11_680,
        base_digest="0" * 64,
        shape=shape,
    )


@pytest.fixture(scope="session")
def worker() -> WorkerView:
    """A worker of that model with a gigabyte to spend."""
    return WorkerView(
        id="worker-1",
        model="demo",
        host="somewhere",
        pid=1,
        device="cpu",
        state=WorkerState.IDLE,
        free_bytes=2_000_000_000,
        total_bytes=4_000_000_000,
        budget_bytes=1_000_000_000,
        mean_edit_s=2.0,
        started_at=NOW,
        heartbeat_at=NOW,
    )


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
    return EditResult(
        outcome=Outcome.HELD,
        before="Paris.",
        after="Rome.",
        neurons=(NeuronView(layer=1, unit=3, score=0.5),),
        metrics=Metrics(rewrite_acc=1.0),
        memory=MemoryView(
            predicted_peak_bytes=2000,
            observed_peak_bytes=1500,
            stages=(
                StageMemory(
                    stage="collect",
                    predicted_bytes=2000,
                    observed_bytes=1500,
                    items=(
                        MemoryItem(name="logits", bytes=1200, depends_on="vocabulary"),
                        MemoryItem(name="rows", bytes=800, depends_on="steps"),
                    ),
                ),
                StageMemory(stage="write", predicted_bytes=1000, observed_bytes=None),
            ),
        ),
        timings={"collect": 0.25},
    )


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
