"""What a job needs: the engine, the ledger's side of the worker, the store."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from contract.ledger.attempts import Attempt, Attempts
from contract.ledger.record import EditRecord
from worker.attempt.engine import Engine
from worker.attempt.limits import Limits
from worker.attempt.publishing import Store
from worker.presence.activity import Activity


class Defer(Protocol):
    """Puts an edit back at the head of its queue until so much memory is free."""

    def __call__(self, attempt: Attempt, record: EditRecord, *, needed_bytes: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """All that an edit needs, chosen once when the worker starts."""

    worker_id: str
    model: str
    engine: Engine
    limits: Limits
    activity: Activity
    store: Store
    attempts: Attempts
    record_of: Callable[[str], EditRecord | None]
    hand_back: Callable[[Attempt], None]
    defer: Defer
    drop_connections: Callable[[], None]
    pause: Callable[[float], None]
    clock: Callable[[], float] = time.time
