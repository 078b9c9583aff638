"""A worker's resources around a fake engine, with a real Redis and a real store."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fake_editor import FakeEditor, FakeMemory
from redis import Redis

from contract.ledger.attempts import Attempts
from contract.ledger.ledger import NOBODY, Ledger
from contract.ledger.origin import Origin
from contract.store.store import CheckpointStore
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission, Applied, Decision
from worker.attempt.failures import SERVICE_CODES
from worker.attempt.handback import defer, hand_back
from worker.attempt.resources import Resources
from worker.memory.device import DeviceMemory
from worker.memory.monitor import Monitor
from worker.presence.activity import Activity
from worker.presence.fitness import Weights

REQUEST = EditRequest(prompt="The capital of France is", target_new="Rome")
ADMISSION = Admission(
    decision=Decision.ADMIT,
    predicted_peak_bytes=0,
    budget_bytes=None,
    items=(),
    applied=Applied(layers_per_pass=2),
)


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    return Ledger(redis)


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path)


@pytest.fixture
def submit(ledger: Ledger) -> Callable[..., str]:
    def submit(*, origin: Origin = NOBODY, **changes: Any) -> str:
        request = REQUEST.model_copy(update=changes)
        made = ledger.submit(request, model="demo", admission=ADMISSION, origin=origin)
        return made.edit_id

    return submit


@pytest.fixture
def resources(redis: Redis, ledger: Ledger, store: CheckpointStore) -> Callable[..., Resources]:
    """Resources as a worker has them, except for what a test names."""

    def make(
        *, memory: DeviceMemory | None = None, memory_cap_bytes: int | None = None, **changes: Any
    ) -> Resources:
        attempts = Attempts(redis, lease_s=30)
        usual: dict[str, Any] = {
            "worker_id": "here-1-aa",
            "model": "demo",
            "editor": FakeEditor(),
            "attempts": attempts,
            "record_of": ledger.record,
            "store": store,
            "activity": Activity(),
            "codes": SERVICE_CODES,
            "max_attempts": 3,
            "deadline": nullcontext,
            "hand_back": partial(hand_back, attempts=attempts, queue=ledger.queue("demo")),
            "defer": partial(defer, attempts=attempts, queue=ledger.queue("demo")),
            "pause": lambda seconds: None,
            "memory_wait_s": 3600.0,
            "drop_connections": redis.connection_pool.disconnect,
        }
        chosen = usual | changes
        chosen["monitor"] = Monitor(
            memory or FakeMemory(),
            weights_bytes=chosen["editor"].shape.weights_bytes,
            cap_bytes=memory_cap_bytes,
        )
        chosen.setdefault("weights", Weights.of(chosen["editor"].fingerprint))
        return Resources(**chosen)

    return make
