"""A ledger in a real Redis, with a clock that the test moves."""

from datetime import UTC, datetime

import pytest
from redis import Redis

from contract.ledger.attempts import Attempts
from contract.ledger.ledger import Ledger
from contract.wire.checkpoints import CheckpointFile, CheckpointView, Part
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission, Applied, Decision
from contract.wire.lifecycle import Outcome
from contract.wire.views import EditResult, MemoryView, Metrics, NeuronView


class MovedClock:
    """Tells the time that it was set to, in seconds since 1970."""

    def __init__(self) -> None:
        self.now_s = 1_900_000_000.0  # 2030-03-17T17:46:40Z

    def __call__(self) -> float:
        return self.now_s

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.now_s, UTC)


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def ledger(redis: Redis, clock: MovedClock) -> Ledger:
    return Ledger(redis, max_queued=40, clock=clock)


@pytest.fixture
def attempts(redis: Redis, clock: MovedClock) -> Attempts:
    return Attempts(redis, lease_s=60.0, clock=clock)


@pytest.fixture
def brief_attempts(redis: Redis, clock: MovedClock) -> Attempts:
    """Attempts whose lease is over after 50 ms of silence."""
    return Attempts(redis, lease_s=0.05, clock=clock)


@pytest.fixture
def request_() -> EditRequest:
    return EditRequest(model="demo", prompt="The capital of France is", target_new="Rome")


@pytest.fixture
def admission() -> Admission:
    return Admission(
        decision=Decision.ADMIT,
        predicted_peak_bytes=2000,
        budget_bytes=None,
        items=(),
        applied=Applied(layers_per_pass=2),
    )


@pytest.fixture
def edit_id(ledger: Ledger, request_: EditRequest, admission: Admission) -> str:
    """An edit that waits for a worker."""
    return ledger.submit(request_, model="demo", admission=admission).edit_id


@pytest.fixture
def result() -> EditResult:
    return EditResult(
        outcome=Outcome.HELD,
        before="Paris.",
        after="Rome.",
        neurons=(NeuronView(layer=1, unit=3, score=0.5),),
        metrics=Metrics(rewrite_acc=1.0),
        memory=MemoryView(predicted_peak_bytes=2000, observed_peak_bytes=1500),
    )


@pytest.fixture
def checkpoint(request_: EditRequest, result: EditResult) -> CheckpointView:
    """A checkpoint that names one file, which may not exist."""
    file = CheckpointFile(path="adapter_config.json", sha256="a" * 64, size_bytes=3)
    return CheckpointView(
        id="ckpt-" + "0" * 28,
        edit_id="edit-" + "0" * 28,
        model="demo",
        base_digest="0" * 64,
        files=(file,),
        parts=(Part(edit_id="edit-" + "0" * 28, first_rank=0, end_rank=1),),
        request=request_,
        attempt=1,
        result=result,
        code_version="test",
        created_at=datetime(2030, 1, 2, tzinfo=UTC),
    )
