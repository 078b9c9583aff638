"""What a job needs: the engine, the ledger's side of the worker, the store."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from contract.ledger.attempts import Attempt, Attempts
from contract.ledger.record import EditRecord
from contract.memory import ModelShape, Workload
from worker.attempt.failures import Codes
from worker.attempt.lineage import Reader
from worker.attempt.publishing import Store
from worker.memory.monitor import Monitor
from worker.presence.activity import Activity
from worker.presence.fitness import Weights

if TYPE_CHECKING:  # the engine brings torch, which other parts of a worker load without
    from worker.kn.stopwatch import Watch


class Adapter(Protocol):
    """What is written into a model."""

    @property
    def rank(self) -> int: ...
    @property
    def own_rank(self) -> int: ...


class EngineOutput(Protocol):
    """What the engine made: an edit, or a composition of several."""

    @property
    def adapter(self) -> Adapter: ...
    def as_json(self) -> Any: ...


class Editor(Reader, Protocol):
    """The engine, with its model resident."""

    @property
    def shape(self) -> ModelShape: ...
    @property
    def provenance(self) -> Mapping[str, Any]: ...
    @property
    def device(self) -> str: ...
    @property
    def on_host(self) -> bool: ...
    def parse(self, mapping: Mapping[str, Any]) -> Any: ...
    def workload(
        self,
        request: Any,
        *,
        base: Any = ...,
        said: Mapping[str, str] = ...,
        pad_rank: int | None = ...,
    ) -> Workload: ...
    def edit(
        self,
        request: Any,
        *,
        layers_per_pass: int | None = ...,
        budget_bytes: int | None = ...,
        room_bytes: Callable[[], int] | None = ...,
        lowered: Callable[[int], None] = ...,
        base: Any = ...,
        said: Mapping[str, str] = ...,
        pad_rank: int | None = ...,
        watch: "Watch" = ...,
        between: Callable[[], None] = ...,
    ) -> EngineOutput: ...
    def compose(
        self,
        adapters: Sequence[Any],
        requests: Sequence[Any],
        *,
        pad_rank: int | None = ...,
        watch: "Watch" = ...,
        between: Callable[[], None] = ...,
    ) -> EngineOutput: ...
    def files(self, made: Any, base_model: str) -> dict[str, bytes]: ...
    def verify(
        self, made: Any, files: Mapping[str, bytes], *, between: Callable[[], None] = ...
    ) -> None: ...


class Defer(Protocol):
    """Puts an edit back at the head of its queue until so much memory is free."""

    def __call__(self, attempt: Attempt, record: EditRecord, *, needed_bytes: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """All that an edit needs, chosen once when the worker starts."""

    worker_id: str
    model: str
    editor: Editor
    attempts: Attempts
    record_of: Callable[[str], EditRecord | None]
    store: Store
    activity: Activity
    monitor: Monitor
    codes: Codes
    max_attempts: int
    deadline: Callable[[float | None], AbstractContextManager[None]]
    hand_back: Callable[[Attempt], None]
    defer: Defer
    pause: Callable[[float], None]
    memory_wait_s: float
    drop_connections: Callable[[], None]
    weights: Weights
    watchdog: Callable[[], AbstractContextManager[None]] = nullcontext
    clock: Callable[[], float] = time.time
