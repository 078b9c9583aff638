"""Edits as they go over the wire."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission, Applied, Bytes, MemoryItem
from contract.wire.events import EventType, WarningCode
from contract.wire.failures import ErrorCode
from contract.wire.frozen import Frozen
from contract.wire.lifecycle import EditStatus, Outcome, Phase, QueuedReason

Completeness = Annotated[
    float | None,
    Field(
        description="How far attributions are from adding up to the change of the answer's "
        "probability, at the worst layer and answer token: max |Σ IG − ΔP| / max |ΔP|. "
        "0 is exact; more `steps` bring it down."
    ),
]


class QueueView(Frozen):
    """Place in the model's queue; 0 is next, or running."""

    position: int
    eta_s: float | None = Field(
        description="Estimated seconds until the edit is done, where known."
    )


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
    """Peak bytes above the resident weights, predicted and observed."""

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


class EditWarning(Frozen):
    """Something true and worth knowing that did not stop the edit."""

    code: str = Field(
        description=f"Stable: {', '.join(f'`{code}`' for code in WarningCode)}; a newer service "
        "may send others."
    )
    message: str


class EditFailure(Frozen):
    """Why an edit failed."""

    code: ErrorCode | str = Field(
        union_mode="left_to_right", description="Stable; a newer service may send others."
    )
    message: str
    retryable: bool


class EditResult(Frozen):
    """The result of a finished edit."""

    outcome: Outcome
    before: str = Field(description="The unedited model's free continuation of the prompt.")
    after: str = Field(description="The edited model's free continuation of the prompt.")
    answers: tuple[Answer, ...] = ()
    neurons: tuple[NeuronView, ...]
    completeness: Completeness = None
    metrics: Metrics
    memory: MemoryView
    applied: Applied | None = Field(
        default=None, description="The settings that the edit was made with."
    )
    timings: dict[str, float] = Field(default_factory=dict, description="Seconds by phase.")
    warnings: tuple[EditWarning, ...] = ()


class EditView(EditRequest):
    """An edit: its request, where it stands, and what came of it."""

    id: str
    status: EditStatus
    request_id: str | None = Field(default=None, description="Id of the request that made it.")
    retry_of: str | None = Field(default=None, description="The edit that it retries.")
    outcome: Outcome | None = None
    attempt: int = Field(default=0, description="How many times a worker has started it.")
    queued_reason: QueuedReason | None = None
    queue: QueueView | None = Field(
        default=None, description="Place in the queue; null once final."
    )
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
    warnings: tuple[EditWarning, ...] = ()
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
    type: str = Field(
        description=f"What happened: {', '.join(f'`{kind}`' for kind in EventType)}; a newer "
        "service may send others."
    )
    at: datetime
    data: dict[str, Any]


class EventList(Frozen):
    """The events of one edit, oldest first."""

    items: tuple[EditEvent, ...]
