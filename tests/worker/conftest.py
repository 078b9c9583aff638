"""A worker's resources around a fake engine, with a real Redis and a real store."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
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
from worker.attempt.engine import Editor, Engine
from worker.attempt.failures import SERVICE_CODES, Codes
from worker.attempt.handback import HeadOfQueue
from worker.attempt.limits import Limits
from worker.attempt.resources import Resources
from worker.memory.device import DeviceMemory
from worker.presence.activity import Activity

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
        *,
        editor: Editor | None = None,
        memory: DeviceMemory | None = None,
        memory_cap_bytes: int | None = None,
        codes: Codes = SERVICE_CODES,
        max_attempts: int = 3,
        memory_wait_s: float = 3600.0,
        deadline: Callable[[float | None], AbstractContextManager[None]] = nullcontext,
        **changes: Any,
    ) -> Resources:
        attempts = Attempts(redis, lease_s=30)
        head = HeadOfQueue(attempts, ledger.queue("demo"))
        usual: dict[str, Any] = {
            "worker_id": "here-1-aa",
            "model": "demo",
            "engine": Engine.of(
                editor or FakeEditor(),
                memory or FakeMemory(),
                cap_bytes=memory_cap_bytes,
                codes=codes,
            ),
            "limits": Limits(
                max_attempts=max_attempts, memory_wait_s=memory_wait_s, deadline=deadline
            ),
            "activity": Activity(),
            "store": store,
            "attempts": attempts,
            "record_of": ledger.record,
            "hand_back": head.hand_back,
            "defer": head.defer,
            "drop_connections": redis.connection_pool.disconnect,
            "pause": lambda seconds: None,
        }
        return Resources(**usual | changes)

    return make
