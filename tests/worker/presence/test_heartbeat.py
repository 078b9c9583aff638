import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from fake_editor import GIB, FakeMemory
from redis import Redis

from contract.ledger.attempts import Attempt, Attempts
from contract.ledger.connection import connect
from contract.ledger.ledger import Ledger, names
from contract.ledger.presence import Presence
from contract.wire.serving import MemoryState, WorkerState
from worker.memory.device import MemoryReading
from worker.memory.monitor import Monitor
from worker.presence.activity import Activity
from worker.presence.heartbeat import Heartbeat
from worker.presence.identity import Identity

IDENTITY = Identity(
    worker_id="here-1-aa",
    model="demo",
    host="here",
    pid=1,
    device="cpu",
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
)
WAIT_S = 10.0


def heartbeat(redis: Redis, activity: Activity, **changes: Any) -> Heartbeat:
    memory = changes.pop("memory", FakeMemory())
    usual: dict[str, Any] = {
        "attempts": Attempts(redis, lease_s=0.2),
        "presence": Presence(redis),
        "monitor": Monitor(memory, weights_bytes=0, cap_bytes=None),
        "lease_s": 0.2,
        "longest_s": 3660,
    }
    return Heartbeat(IDENTITY, activity, **usual | changes)


@pytest.fixture
def attempt(redis: Redis, submit: Callable[..., str]) -> Attempt:
    attempt = Attempts(redis, lease_s=30).claim(submit(), worker_id="here-1-aa")
    assert attempt is not None
    return attempt


@dataclass
class BreakingMemory(FakeMemory):
    """A device that faults after the first two readings: at rest, and at the first beat."""

    readings: int = 0

    def read(self) -> MemoryReading:
        self.readings += 1
        if self.readings > 2:
            raise RuntimeError("device fault")
        return super().read()


def test_a_beat_tells_how_the_worker_is(redis: Redis) -> None:
    heartbeat(redis, Activity(), memory=FakeMemory(free_bytes=1000, own_bytes=24)).beat()

    (worker,) = Presence(redis).workers()
    assert (worker.id, worker.model, worker.state) == ("here-1-aa", "demo", WorkerState.IDLE)
    assert (worker.free_bytes, worker.total_bytes) == (1000, 2 * GIB)
    assert worker.budget_bytes == 900
    assert worker.others_bytes == 2 * GIB - 1000 - 24


def test_a_beat_during_an_edit_names_it_and_renews_its_lease(
    redis: Redis, attempt: Attempt
) -> None:
    activity = Activity()
    redis.pexpire(names.lease(attempt.edit_id), 50)

    with activity.holding(attempt):
        heartbeat(redis, activity, attempts=Attempts(redis, lease_s=30)).beat()

    (worker,) = Presence(redis).workers()
    assert (worker.state, worker.edit_id) == (WorkerState.BUSY, attempt.edit_id)
    assert redis.pttl(names.lease(attempt.edit_id)) > 20_000


def test_the_budget_told_during_an_edit_is_that_of_rest(redis: Redis, attempt: Attempt) -> None:
    activity, memory = Activity(), FakeMemory(free_bytes=1000)
    beating = heartbeat(redis, activity, memory=memory)
    beating.beat()

    with activity.holding(attempt):
        memory.free_bytes, memory.own_bytes = 10, 990
        beating.beat()

    (worker,) = Presence(redis).workers()
    assert (worker.free_bytes, worker.budget_bytes) == (10, 900)


def test_a_memory_that_gets_tight_is_reported_by_the_worker_and_by_its_edit(
    redis: Redis, attempt: Attempt, ledger: Ledger
) -> None:
    activity, memory = Activity(), FakeMemory(free_bytes=2 * GIB)
    beating = heartbeat(redis, activity, memory=memory)

    with activity.holding(attempt):
        for free_bytes in (2 * GIB, GIB // 2, GIB // 2, 2 * GIB):
            memory.free_bytes = free_bytes
            beating.beat()

    (worker,) = Presence(redis).workers()
    told = [event.data for event in ledger.events(attempt.edit_id) if event.type == "memory"]
    assert worker.memory_state is MemoryState.AT_EASE
    assert [(data["state"], data["others_bytes"]) for data in told] == [
        ("tight", 3 * GIB // 2),
        ("at_ease", 0),
    ]


def test_a_beat_takes_back_a_lease_that_ran_out_unnoticed(redis: Redis, attempt: Attempt) -> None:
    activity = Activity()
    redis.delete(names.lease(attempt.edit_id))

    with activity.holding(attempt):
        heartbeat(redis, activity).beat()

    assert not activity.has_lost(attempt)
    assert redis.get(names.lease(attempt.edit_id)) == attempt.owner.encode()


def test_a_beat_notices_that_another_worker_has_the_edit(redis: Redis, attempt: Attempt) -> None:
    activity = Activity()
    redis.delete(names.lease(attempt.edit_id))
    Attempts(redis, lease_s=6.0).claim(attempt.edit_id, worker_id="another")

    with activity.holding(attempt):
        heartbeat(redis, activity).beat()

    assert activity.has_lost(attempt)
    assert redis.get(names.lease(attempt.edit_id)) == b"another#2"


def test_a_draining_worker_says_so(redis: Redis) -> None:
    activity = Activity()
    activity.drain()

    heartbeat(redis, activity).beat()

    (worker,) = Presence(redis).workers()
    assert worker.state is WorkerState.DRAINING


def test_a_beat_without_redis_is_reported_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    nowhere = connect("unix:///nowhere.sock", retries=0, timeout_s=0.1)

    heartbeat(nowhere, Activity()).beat()

    assert "heartbeat_missed" in [record.getMessage() for record in caplog.records]


def test_the_presence_outlasts_its_time_to_live_and_ends_with_the_heartbeat(redis: Redis) -> None:
    told = threading.Event()
    memory = FakeMemory()

    class Counting(Presence):
        beats = 0

        def publish_worker(self, *args: Any, **kwargs: Any) -> None:
            super().publish_worker(*args, **kwargs)
            self.beats += 1
            if self.beats == 12:  # three times the lease, in beats
                told.set()

    with heartbeat(redis, Activity(), presence=Counting(redis), memory=memory):
        assert told.wait(WAIT_S)
        during = Presence(redis).workers()

    assert [worker.id for worker in during] == ["here-1-aa"]
    assert Presence(redis).workers() == ()
    assert redis.smembers(names.WORKERS) == set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_heartbeat_that_breaks_ends_the_process(redis: Redis) -> None:
    gave_up = threading.Event()

    with heartbeat(redis, Activity(), memory=BreakingMemory(), give_up=gave_up.set):
        assert gave_up.wait(WAIT_S)


def test_an_edit_that_no_alarm_can_end_ends_the_process(redis: Redis, attempt: Attempt) -> None:
    gave_up, activity = threading.Event(), Activity(monotonic=lambda: 0.0)
    late = {"longest_s": 160, "monotonic": lambda: 161.0}

    with (
        activity.holding(attempt),
        heartbeat(redis, activity, give_up=gave_up.set, **late),
    ):
        assert gave_up.wait(WAIT_S)


def test_an_edit_within_its_grace_is_let_be(redis: Redis, attempt: Attempt) -> None:
    gave_up, beaten = threading.Event(), threading.Event()
    activity = Activity(monotonic=lambda: 0.0)

    def monotonic() -> float:
        beaten.set()
        return 160.0

    late = {"longest_s": 160, "monotonic": monotonic}
    with (
        activity.holding(attempt),
        heartbeat(redis, activity, give_up=gave_up.set, **late),
    ):
        assert beaten.wait(WAIT_S)

    assert not gave_up.is_set()


def test_a_hang_is_noted_for_the_next_attempt(redis: Redis, attempt: Attempt) -> None:
    gave_up, activity = threading.Event(), Activity(monotonic=lambda: 0.0)

    with (
        activity.holding(attempt),
        heartbeat(redis, activity, give_up=gave_up.set, longest_s=1, monotonic=lambda: 2.0),
    ):
        assert gave_up.wait(WAIT_S)

    assert redis.hget(names.edit(attempt.edit_id), "hung") == b"1"


def test_a_tainted_worker_is_remembered_until_its_successor_comes(redis: Redis) -> None:
    activity, presence = Activity(), Presence(redis)
    with heartbeat(redis, activity):
        activity.taint()

    assert [worker.state for worker in presence.workers()] == [WorkerState.TAINTED]
    assert 500_000 < redis.pttl(names.worker("here-1-aa")) <= 600_000

    presence.forget_tainted(host="elsewhere", model="demo", device="cpu")
    assert len(presence.workers()) == 1
    presence.forget_tainted(host="here", model="demo", device="cpu")
    assert presence.workers() == ()
