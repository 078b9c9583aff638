"""What is wrong with an installation, judged from plain facts."""

import pytest

from contract.wire.serving import WorkerState, WorkerView
from palimpsest.doctor import findings
from palimpsest.doctor.findings import Card, Disk, Room, Verdict, Wanted
from palimpsest.models.files import Flaw, ModelFiles
from palimpsest.transport.endpoints import Check

GB = 10**9
ROOM = Room("the GPU", 24 * GB, 20 * GB)
AOF = {"redis_version": "7.0.15", "aof_enabled": "1", "maxmemory_policy": "noeviction"}


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ({"torch": "2.11.0+cpu"}, Verdict.OK),
        ({"torch": "2.13"}, Verdict.OK),
        ({"torch": "2.9.1"}, Verdict.WRONG),
        ({"torch": "3.0rc1"}, Verdict.WRONG),
        ({}, Verdict.WARNING),
    ],
)
def test_a_package_is_there_and_new_enough(found: dict[str, str], verdict: Verdict) -> None:
    (finding,) = findings.of_versions(found, {"torch": Wanted("2.11", below="3")})

    assert finding.verdict is verdict
    assert bool(finding.advice) is (verdict is not Verdict.OK)


def test_packages_that_are_missing_are_one_finding_with_a_way_to_get_them() -> None:
    wanted = {"torch": Wanted("2.11"), "rq": Wanted("3.0"), "redis": Wanted("7")}

    found = findings.of_versions({"redis": "7.0"}, wanted)

    assert [(finding.name, finding.detail) for finding in found] == [
        ("redis", "7.0"),
        ("packages", "not installed: rq, torch"),
    ]
    assert found[1].advice == (
        "to serve, in the checkout run `pip install '.[api,worker,local]'` or `make install`"
    )


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
    ("weights_bytes", "verdict", "told"),
    [
        (13 * GB, Verdict.OK, "13.0 GB of weights"),
        (21 * GB, Verdict.WARNING, "21.0 GB of weights, 20.0 GB free on the GPU"),
        (25 * GB, Verdict.WRONG, "25.0 GB of weights, 24.0 GB on the GPU"),
    ],
)
def test_a_model_has_room_where_it_is_loaded(
    weights_bytes: int, verdict: Verdict, told: str
) -> None:
    (finding,) = findings.of_model(ModelFiles(weights_bytes), ROOM)

    assert (finding.verdict, finding.detail) == (verdict, told)
    assert bool(finding.advice) is (verdict is not Verdict.OK)


def test_each_flaw_of_a_model_is_wrong() -> None:
    flaws = (Flaw("no config.json", "bring it"), Flaw("no tokenizer.json", "bring it"))

    found = findings.of_model(ModelFiles(25 * GB, flaws), ROOM)

    assert [finding.detail for finding in found] == ["no config.json", "no tokenizer.json"]
    assert {finding.verdict for finding in found} == {Verdict.WRONG}


def test_a_redis_that_forgets_is_wrong() -> None:
    forgetful = AOF | {"aof_enabled": "0", "maxmemory_policy": "allkeys-lru"}

    assert [f.verdict for f in findings.of_redis(AOF, where="REDIS_URL")] == [Verdict.OK]
    assert [f.detail for f in findings.of_redis(forgetful, where="REDIS_URL")[1:]] == [
        "a crash would lose edits",
        "it may evict edits",
    ]


@pytest.mark.parametrize(
    ("told", "verdict", "detail"),
    [
        ({"redis_version": "6.0.1"}, Verdict.WARNING, "REDIS_URL runs 6.0.1"),
        ({"role": "slave"}, Verdict.WRONG, "it is a replica, which is read-only"),
        ({"loading": "1"}, Verdict.WARNING, "it still loads its data"),
        ({"appendfsync": "everysec"}, Verdict.WARNING, "a crash may lose the edits of its last"),
        (
            {"maxmemory": "1000", "used_memory": "950"},
            Verdict.WARNING,
            "950 B of its maxmemory of 1.0 kB",
        ),
        (
            {"maxmemory": "1000", "used_memory": "995"},
            Verdict.WRONG,
            "995 B of its maxmemory of 1.0 kB",
        ),
        ({"aof_last_write_status": "err"}, Verdict.WRONG, "its last write to the disk failed"),
    ],
)
def test_a_redis_that_takes_no_edits_or_may_lose_them_is_reported(
    told: dict[str, str], verdict: Verdict, detail: str
) -> None:
    found = findings.of_redis(AOF | told, where="REDIS_URL")[-1]

    assert found.verdict is verdict
    assert found.detail.startswith(detail)
    assert found.advice


@pytest.mark.parametrize(
    ("disk", "verdict"),
    [
        (Disk(GB), Verdict.OK),
        (Disk(GB - 1), Verdict.WARNING),
        (Disk(GB, "Read-only file system"), Verdict.WRONG),
    ],
)
def test_a_disk_has_room_and_can_be_written(disk: Disk, verdict: Verdict) -> None:
    finding = findings.of_disk("/data", disk)

    assert finding.verdict is verdict
    assert bool(finding.advice) is (verdict is not Verdict.OK)


def test_a_service_is_as_well_as_what_it_needs(worker: WorkerView) -> None:
    checks = [
        Check(name="redis", ok=True, detail="answers"),
        Check(name="store", ok=False, detail="read-only"),
        Check(name="workers", ok=False, required=False, detail="0 alive"),
    ]

    found = findings.of_service(checks, [])
    untold = findings.of_service(checks, None)

    assert [finding.verdict.value for finding in found] == ["ok", "wrong", "wrong"]
    assert [finding.verdict.value for finding in untold] == ["ok", "wrong", "warning"]
    assert [bool(finding.advice) for finding in untold] == [False, True, True]


def test_what_lies_in_a_redis_that_does_not_answer_wants_no_other_cure() -> None:
    checks = [
        Check(name="redis", ok=False, required=True, detail="TimeoutError"),
        Check(name="schema", ok=False, required=True, detail="TimeoutError"),
        Check(name="store", ok=False, required=True, detail="it is full"),
        Check(name="workers", ok=False, required=False, detail="TimeoutError"),
    ]

    redis, schema, store, workers = findings.of_service(checks, None)

    assert redis.advice == schema.advice == workers.advice
    assert "Redis" in redis.advice
    assert store.advice != redis.advice


def test_a_schema_of_another_version_wants_one_version() -> None:
    checks = [
        Check(name="redis", ok=True, required=True, detail="answers"),
        Check(name="schema", ok=False, required=True, detail="2, not 3"),
    ]

    assert "same version" in findings.of_service(checks, None)[1].advice


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


@pytest.mark.parametrize("refusal", [None, "no such protocol"])
def test_what_a_store_url_may_hold_of_secrets_is_not_shown(refusal: str | None) -> None:
    url = "ftp://team:s3cr3t@files.example/store?token=t0ken"

    finding = findings.of_store_url(url, refusal)

    assert finding.detail.startswith("ftp://files.example/store")
    assert "s3cr3t" not in finding.detail
    assert "t0ken" not in finding.detail
