"""The engine: the resident model, and what has to be known to edit it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from contract.memory import ModelShape, Workload
from worker.attempt.failures import Codes
from worker.attempt.lineage import Reader
from worker.memory.device import DeviceMemory
from worker.memory.monitor import Monitor
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
    """Edits the resident model, and gives its weights back as they were."""

    @property
    def shape(self) -> ModelShape: ...
    @property
    def provenance(self) -> Mapping[str, Any]: ...
    @property
    def device(self) -> str: ...
    @property
    def on_host(self) -> bool: ...
    def fingerprint(self) -> str: ...
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Who edits, the memory to do it in, the weights that must stay, and what errors mean."""

    editor: Editor
    monitor: Monitor
    weights: Weights
    codes: Codes

    @classmethod
    def of(
        cls, editor: Editor, memory: DeviceMemory, *, cap_bytes: int | None, codes: Codes
    ) -> "Engine":
        """To be made when the model is loaded and nothing is edited, as its monitor is."""
        weights_bytes = editor.shape.weights_bytes
        return cls(
            editor=editor,
            monitor=Monitor(memory, weights_bytes=weights_bytes, cap_bytes=cap_bytes),
            weights=Weights.of(editor.fingerprint),
            codes=codes,
        )
