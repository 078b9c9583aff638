"""Models and the workers that serve them, as they go over the wire."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from contract.admission.calibration import Calibration, MemoryProbe
from contract.wire.estimates import Bytes
from contract.wire.frozen import Frozen


class ShapeView(Frozen):
    """The sizes by which memory is estimated; see `contract.memory.ModelShape`."""

    n_layer: int
    d_model: int
    d_ff: int
    n_head: int
    n_kv_head: int
    d_head: int
    n_vocab: int
    tied: bool
    qkv_bias: bool
    out_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool
    n_position: int | None
    dtype_bytes: int


class ModelView(Frozen):
    """A model that is, or was, served here."""

    name: str
    architecture: str
    dtype: str
    n_param: int
    weights_bytes: Bytes
    base_digest: str
    shape: ShapeView
    tokenizer_sha256: str | None = Field(
        default=None,
        description="The `tokenizer.json` in the store, with which the API counts tokens.",
    )
    workers: int = 0
    queued: int = 0


class WorkerState(StrEnum):
    """What a worker is doing; a tainted one found its weights changed, and is being replaced."""

    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"
    TAINTED = "tainted"


class MemoryState(StrEnum):
    """Whether other processes leave room for edits: tight below half of what one could take in
    an empty memory, at ease again above six tenths."""

    AT_EASE = "at_ease"
    TIGHT = "tight"


class MemoryOutlook(Frozen):
    """The state of a worker's memory, as an event reports it."""

    state: MemoryState
    free_bytes: Bytes
    others_bytes: Bytes
    budget_bytes: Bytes


class WorkerView(Frozen):
    """A live worker."""

    id: str
    model: str
    host: str
    pid: int
    device: str
    state: WorkerState
    edit_id: str | None = None
    free_bytes: Bytes
    total_bytes: Bytes
    budget_bytes: Bytes = Field(description="What one edit may take above the resident weights.")
    capacity_bytes: Bytes | None = Field(
        default=None, description="What one edit could take if nothing else were in memory."
    )
    others_bytes: Bytes = Field(default=0, description="Memory that other processes hold.")
    memory_state: MemoryState = MemoryState.AT_EASE
    memory_state_since: datetime | None = None
    probes: tuple[MemoryProbe, ...] = Field(
        default=(), description="Test edits measured when the worker started."
    )
    probe_error: str | None = Field(default=None, description="Why the test edits failed.")
    calibration: Calibration | None = Field(
        default=None, description="Correction found by the test edits; budgets include it."
    )
    mean_edit_s: float | None = None
    edits_done: int = 0
    started_at: datetime
    heartbeat_at: datetime

    @property
    def on_host(self) -> bool:
        """Whether its edits take main memory, not a device's own."""
        return self.device.startswith("cpu")

    @property
    def is_fit(self) -> bool:
        """Whether it makes edits: one whose weights were found changed is being replaced."""
        return self.state is not WorkerState.TAINTED

    def serves(self, model: str) -> bool:
        """Whether it makes edits of that model."""
        return self.is_fit and self.model == model


class ModelList(Frozen):
    """Every model that a worker has ever served."""

    items: tuple[ModelView, ...]


class WorkerList(Frozen):
    """The workers that are alive."""

    items: tuple[WorkerView, ...]
