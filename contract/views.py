"""What the service tells: edits, checkpoints, models and workers as they go over the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from contract.calibration import Calibration, MemoryProbe
from contract.edits import EditRequest, Frozen
from contract.failures import ErrorCode
from contract.lifecycle import EditStatus, Outcome, Phase, QueuedReason

Bytes = Annotated[int, Field(ge=0)]
Completeness = Annotated[
    float | None,
    Field(
        description="How far attributions are from adding up to the change of the answer's "
        "probability, at the worst layer and answer token: max |Σ IG − ΔP| / max |ΔP|. "
        "0 is exact; more `steps` bring it down."
    ),
]


class Decision(StrEnum):
    """What admission makes of an edit."""

    ADMIT = "admit"
    ADMIT_REDUCED = "admit_reduced"
    DEFER = "defer"
    REJECT = "reject"


class MemoryItem(Frozen):
    """One part of the predicted peak."""

    name: str
    bytes: Bytes
    depends_on: str


class Applied(Frozen):
    """The settings that admission chose."""

    layers_per_pass: int
    adaptive_threshold: float | None = Field(
        default=None, description="What stands in for the request's own, where something does."
    )
    max_neurons: int | None = Field(
        default=None, description="Neurons that are sure to fit; null: all that may be found."
    )


class LargestFit(Frozen):
    """The largest settings of a request that would fit, layers one a pass."""

    steps: int
    prompts: int = Field(description="`prompt` and the first of `refine_prompts`.")
    protect_prompts: int = Field(description="The first of them.")
    questions: int = Field(
        description="Prompts that only score: the first of `rephrase_prompts`, then of `locality`, "
        "then of `portability`."
    )
    max_neurons: int | None = Field(
        description="So many are sure to fit, wherever they are found; null: all that the request "
        "may choose, or not even one, where it depends on the neurons."
    )

    def __str__(self) -> str:
        told = self.model_dump(exclude_none=True).items()
        return "would fit: " + ", ".join(f"{name} {value}" for name, value in told)


class Admission(Frozen):
    """Whether the edit fits, by which figures; bytes are above the resident weights."""

    decision: Decision
    predicted_peak_bytes: Bytes
    budget_bytes: Bytes | None = Field(description="Null when no worker has told its budget yet.")
    items: tuple[MemoryItem, ...]
    applied: Applied
    reasons: tuple[str, ...] = ()
    largest_fit: LargestFit | None = Field(
        default=None, description="Of a rejected request, what of it would fit; null: nothing."
    )


class EasyEditCost(Frozen):
    """What EasyEdit's own KN would take for the same fact."""

    peak_bytes: Bytes = Field(description="In all, its weights in float32 included.")
    items: tuple[MemoryItem, ...] = Field(description="The weights, and the graphs it keeps.")


class Foretold(Admission):
    """An admission, beside what EasyEdit's own KN would take."""

    easyedit: EasyEditCost


class QueueView(Frozen):
    """Place in the model's queue; 0 is next, or running."""

    position: int
    eta_s: float | None = Field(description="Seconds until the edit is done, where known.")


class Progress(Frozen):
    """How far the current phase is."""

    done: int
    total: int
    unit: str


class StageMemory(Frozen):
    """The most bytes above the resident weights in one stage of an edit."""

    stage: str
    predicted_bytes: Bytes
    observed_bytes: Bytes | None
    items: tuple[MemoryItem, ...] = ()


class MemoryView(Frozen):
    """Peak bytes above the resident weights, as foretold and as measured."""

    predicted_peak_bytes: Bytes
    observed_peak_bytes: Bytes | None
    stages: tuple[StageMemory, ...] = ()


class NeuronView(Frozen):
    """One edited neuron and its attribution."""

    layer: int
    unit: int
    score: float


class Answer(Frozen):
    """One evaluated prompt: what the model generated before and after the edit."""

    role: str = Field(description="prompt, refine, protect, rephrase, locality or portability")
    prompt: str
    expected: str | None
    before: str
    after: str


class Metrics(Frozen):
    """`_acc`: share of answer tokens right, teacher forced, as EasyEdit defines them
    (locality: tokens that stayed). `_exact`: share of free generations that begin with the answer
    (locality: that stayed). Null where the request gave nothing to score."""

    rewrite_acc: float | None = None
    rephrase_acc: float | None = None
    locality_acc: float | None = None
    portability_acc: float | None = None
    rewrite_exact: float | None = None
    rephrase_exact: float | None = None
    locality_exact: float | None = None
    portability_exact: float | None = None


class Warned(Frozen):
    """Something true and worth knowing that did not stop the edit."""

    code: str
    message: str


class EditFailure(Frozen):
    """Why an edit failed."""

    code: ErrorCode
    message: str
    retryable: bool


class EditResult(Frozen):
    """What a finished edit knows about itself."""

    outcome: Outcome
    before: str = Field(description="The unedited model's free continuation of the prompt.")
    after: str = Field(description="The edited model's free continuation of the prompt.")
    answers: tuple[Answer, ...] = ()
    neurons: tuple[NeuronView, ...]
    completeness: Completeness = None
    metrics: Metrics
    memory: MemoryView
    applied: Applied | None = Field(default=None, description="The settings it was made with.")
    timings: dict[str, float] = Field(default_factory=dict, description="Seconds by phase.")
    warnings: tuple[Warned, ...] = ()


class EditView(EditRequest):
    """An edit: its request, where it stands, and what came of it."""

    id: str
    status: EditStatus
    request_id: str | None = Field(default=None, description="Of the request that made it.")
    retry_of: str | None = Field(default=None, description="The edit in whose place it was made.")
    outcome: Outcome | None = None
    attempt: int = Field(default=0, description="How many times a worker has begun it.")
    queued_reason: QueuedReason | None = None
    queue: QueueView | None = Field(default=None, description="Null once final.")
    phase: Phase | None = None
    progress: Progress | None = None
    admission: Admission | None = None
    memory: MemoryView | None = None
    applied: Applied | None = None
    neurons: tuple[NeuronView, ...] | None = None
    completeness: Completeness = None
    before: str | None = None
    after: str | None = None
    answers: tuple[Answer, ...] = ()
    metrics: Metrics | None = None
    timings: dict[str, float] = Field(default_factory=dict)
    warnings: tuple[Warned, ...] = ()
    checkpoint_id: str | None = None
    error: EditFailure | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class EditPage(Frozen):
    """Edits, newest first."""

    items: tuple[EditView, ...]
    next_cursor: str | None


class EditEvent(Frozen):
    """One thing that happened to an edit; `id` orders them and resumes a feed."""

    id: str
    type: str
    at: datetime
    data: dict[str, Any]


class EventList(Frozen):
    """The events of one edit, oldest first."""

    items: tuple[EditEvent, ...]


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
        default=None, description="The `tokenizer.json` in the store, by which the API counts."
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
    """Whether others leave edits room: tight below half of what one could take in an empty memory,
    at ease again above six tenths."""

    AT_EASE = "at_ease"
    TIGHT = "tight"


class MemoryOutlook(Frozen):
    """How a worker finds its memory, as an event tells it."""

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
        default=None, description="What one could take if nothing else were in the memory."
    )
    others_bytes: Bytes = Field(
        default=0, description="What is neither free nor held by this worker's process."
    )
    memory_state: MemoryState = MemoryState.AT_EASE
    memory_state_since: datetime | None = None
    probes: tuple[MemoryProbe, ...] = Field(default=(), description="Edits measured at its start.")
    probe_error: str | None = Field(default=None, description="Why they were not measured.")
    calibration: Calibration | None = Field(
        default=None, description="What they found; budgets are told as the formula counts."
    )
    mean_edit_s: float | None = None
    edits_done: int = 0
    started_at: datetime
    heartbeat_at: datetime


class ModelList(Frozen):
    """Every model that a worker has ever published."""

    items: tuple[ModelView, ...]


class WorkerList(Frozen):
    """The workers that are alive."""

    items: tuple[WorkerView, ...]
