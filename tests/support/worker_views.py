"""A worker, its model and an edit as the API shows them, in round numbers."""

from datetime import UTC, datetime

from bench.service.idle_worker import MODEL as PRETENDED
from contract.wire.estimates import MemoryItem
from contract.wire.lifecycle import Outcome
from contract.wire.serving import WorkerState, WorkerView
from contract.wire.views import EditResult, MemoryView, Metrics, NeuronView, StageMemory

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
MODEL = PRETENDED.model_copy(
    update={"shape": PRETENDED.shape.model_copy(update={"n_position": 64})}
)
WORKER = WorkerView(
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
RESULT = EditResult(
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
