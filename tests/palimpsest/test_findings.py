"""What is wrong with an installation, judged from plain facts."""

import pytest

from contract.views import WorkerState, WorkerView
from palimpsest import findings
from palimpsest.asks import Check
from palimpsest.findings import Card, ModelFiles, Verdict

GB = 10**9
GOOD = ModelFiles(has_config=True, has_tokenizer=True, weights_bytes=13 * GB, is_quantized=False)
AOF = {"redis_version": "7.0.15", "aof_enabled": "1", "maxmemory_policy": "noeviction"}


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ({"torch": "2.11.0+cpu"}, Verdict.OK),
        ({"torch": "2.13"}, Verdict.OK),
        ({"torch": "2.9.1"}, Verdict.WRONG),
        ({"torch": "3.0rc1"}, Verdict.OK),
        ({}, Verdict.WARNING),
    ],
)
def test_a_package_is_there_and_new_enough(found: dict[str, str], verdict: Verdict) -> None:
    (finding,) = findings.of_versions(found, {"torch": "2.11"})

    assert finding.verdict is verdict
    assert bool(finding.advice) is (verdict is not Verdict.OK)


def test_without_a_card_the_cpu_is_warned_of() -> None:
    (finding,) = findings.of_cards([], torch="2.13+cpu")

    assert finding.verdict is Verdict.WARNING


def test_a_card_that_torch_cannot_use_is_wrong() -> None:
    card = Card("H100", total_bytes=80 * GB, free_bytes=79 * GB)

    assert [f.verdict for f in findings.of_cards([card], torch="2.13+cu128")] == [Verdict.OK]
    assert [f.verdict for f in findings.of_cards([card], torch="2.13+cpu")] == [
        Verdict.OK,
        Verdict.WRONG,
    ]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (GOOD, "13.0 GB of weights"),
        (ModelFiles(False, True, GB, False), "no config.json"),
        (ModelFiles(True, False, GB, False), "no tokenizer.json"),
        (ModelFiles(True, True, 0, False), "no *.safetensors"),
        (ModelFiles(True, True, GB, True), "its weights are quantised"),
        (ModelFiles(True, True, 25 * GB, False), "25.0 GB of weights, 24.0 GB on the GPU"),
    ],
)
def test_a_model_that_cannot_be_loaded_tells_why(files: ModelFiles, told: str) -> None:
    finding = findings.of_model(files, room_bytes=24 * GB, where="the GPU")

    assert finding.detail == told
    assert (finding.verdict is Verdict.OK) is (files is GOOD)


def test_a_redis_that_forgets_is_wrong() -> None:
    forgetful = AOF | {"aof_enabled": "0", "maxmemory_policy": "allkeys-lru"}

    assert [f.verdict for f in findings.of_redis(AOF, where="REDIS_URL")] == [Verdict.OK]
    assert [f.detail for f in findings.of_redis(forgetful, where="REDIS_URL")[1:]] == [
        "a crash would lose edits",
        "it may throw edits away",
    ]


@pytest.mark.parametrize(
    ("free_bytes", "is_writable", "verdict"),
    [(GB, True, Verdict.OK), (GB - 1, True, Verdict.WARNING), (GB, False, Verdict.WRONG)],
)
def test_a_disk_has_room_and_can_be_written(
    free_bytes: int, is_writable: bool, verdict: Verdict
) -> None:
    finding = findings.of_disk("/data", free_bytes=free_bytes, is_writable=is_writable)

    assert finding.verdict is verdict


def test_a_service_is_as_well_as_what_it_needs(worker: WorkerView) -> None:
    checks = [
        Check(name="redis", ok=True, detail="answers"),
        Check(name="store", ok=False, detail="read-only"),
        Check(name="workers", ok=False, required=False, detail="0 alive"),
    ]

    found = findings.of_service(checks, [])

    assert [finding.verdict.value for finding in found] == ["ok", "wrong", "warning", "wrong"]


def test_a_worker_without_memory_is_wrong(worker: WorkerView) -> None:
    starved = worker.model_copy(update={"budget_bytes": 0})

    found = findings.of_service([], [worker, starved])

    assert [finding.verdict for finding in found] == [Verdict.OK, Verdict.WRONG]


@pytest.fixture
def worker() -> WorkerView:
    return WorkerView(
        id="worker-1",
        model="demo",
        host="somewhere",
        pid=1,
        device="cpu",
        state=WorkerState.IDLE,
        free_bytes=2 * GB,
        total_bytes=4 * GB,
        budget_bytes=GB,
        started_at="2026-01-02T12:00:00Z",
        heartbeat_at="2026-01-02T12:00:00Z",
    )
