import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError
from rq import Queue
from rq.serializers import JSONSerializer

from contract.ledger import names
from contract.ledger.queue import EditQueue
from worker.leased_worker import LeasedWorker
from worker.presence.activity import Activity

INTERMEDIATE = "rq:queue:palimpsest:demo:intermediate"


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def queue(redis: Redis) -> EditQueue:
    return EditQueue(redis, "demo", job_timeout_s=60)


def nothing() -> None:
    """A sweep that finds nothing."""


def worker(
    redis: Redis,
    *,
    run: Callable[[str], None],
    activity: Activity | None = None,
    sweep: Callable[[], None] = nothing,
    monotonic: Callable[[], float] = time.monotonic,
) -> LeasedWorker:
    return LeasedWorker(
        names.queue_of("demo"),
        name="here-1-aa",
        connection=redis,
        activity=activity or Activity(),
        run=run,
        sweep=sweep,
        monotonic=monotonic,
    )


def foreign(redis: Redis, function: str) -> str:
    queue = Queue(names.queue_of("demo"), connection=redis, serializer=JSONSerializer)
    return str(queue.enqueue(function).id)


def test_edits_run_in_the_order_of_the_queue(redis: Redis, queue: EditQueue) -> None:
    ran: list[str] = []
    queue.put("edit-1")
    queue.put("edit-2")

    worker(redis, run=ran.append).work(burst=True)

    assert ran == ["edit-1", "edit-2"]


def test_a_job_is_forgotten_before_its_edit_runs(redis: Redis, queue: EditQueue) -> None:
    left: list[tuple[int, int, int]] = []
    queue.put("edit-1")

    def look(edit_id: str) -> None:
        left.append((redis.exists("rq:job:edit-1"), redis.llen(INTERMEDIATE), len(queue)))

    worker(redis, run=look).work(burst=True)

    assert left == [(0, 0, 0)]


def test_a_foreign_job_is_refused_and_nothing_it_names_is_imported(
    redis: Redis,
    queue: EditQueue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "trespasser.py").write_text("def act(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    ran: list[str] = []
    job_id = foreign(redis, "trespasser.act")
    queue.put("edit-1")

    worker(redis, run=ran.append).work(burst=True)

    assert ran == ["edit-1"]
    assert "trespasser" not in sys.modules
    assert not redis.exists(f"rq:job:{job_id}")
    assert "foreign_job_refused" in [record.getMessage() for record in caplog.records]


def test_a_pickled_job_is_refused(redis: Redis) -> None:
    ran: list[str] = []
    Queue(names.queue_of("demo"), connection=redis).enqueue(names.TASK, "edit-1")

    worker(redis, run=ran.append).work(burst=True)

    assert ran == []


def test_a_worker_sweeps_before_its_first_job(redis: Redis, queue: EditQueue) -> None:
    told: list[str] = []
    queue.put("edit-1")

    worker(redis, run=told.append, sweep=lambda: told.append("swept")).work(burst=True)

    assert told == ["swept", "edit-1"]


def test_a_ledger_out_of_reach_does_not_stop_the_worker(redis: Redis, queue: EditQueue) -> None:
    ran: list[str] = []
    queue.put("edit-1")
    queue.put("edit-2")

    def run(edit_id: str) -> None:
        ran.append(edit_id)
        if edit_id == "edit-1":
            raise ConnectionError

    worker(redis, run=run).work(burst=True)

    assert ran == ["edit-1", "edit-2"]


def test_after_a_signal_the_edit_in_work_is_the_last(redis: Redis, queue: EditQueue) -> None:
    ran: list[str] = []
    activity = Activity()
    queue.put("edit-1")
    queue.put("edit-2")

    def run(edit_id: str) -> None:
        signal.raise_signal(signal.SIGTERM)
        ran.append(edit_id)

    worker(redis, run=run, activity=activity).work()

    assert (ran, activity.draining, queue.ids()) == (["edit-1"], True, ["edit-2"])


def test_an_idle_worker_leaves_at_a_signal(redis: Redis) -> None:
    activity = Activity()
    swept: list[int] = []

    def sweep() -> None:
        swept.append(1)
        if len(swept) == 2:  # idle: the first dequeue came back empty
            signal.raise_signal(signal.SIGTERM)

    worker(redis, run=lambda _: None, sweep=sweep, activity=activity).work()

    assert activity.draining


def test_a_job_that_comes_too_late_goes_back_to_the_head_of_the_queue(
    redis: Redis, queue: EditQueue
) -> None:
    ran: list[str] = []
    queue.put("edit-1")
    queue.put("edit-2")
    late = worker(redis, run=ran.append)
    taken = Queue.dequeue_any(late.queues, None, redis, serializer=JSONSerializer)
    assert taken is not None

    late.request_stop(signal.SIGTERM, None)
    late.execute_job(*taken)

    assert (ran, queue.ids()) == ([], ["edit-1", "edit-2"])
    assert redis.llen(INTERMEDIATE) == 0


def test_a_second_signal_ends_the_work_in_the_middle(redis: Redis, queue: EditQueue) -> None:
    now_s = [0.0]
    queue.put("edit-1")

    def run(edit_id: str) -> None:
        signal.raise_signal(signal.SIGTERM)
        now_s[0] += 2.0
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("the edit went on")

    with pytest.raises(SystemExit):
        worker(redis, run=run, monotonic=lambda: now_s[0]).work()


def test_two_signals_at_once_are_one(redis: Redis, queue: EditQueue) -> None:
    ran: list[str] = []
    queue.put("edit-1")

    def run(edit_id: str) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        ran.append(edit_id)

    worker(redis, run=run).work()

    assert ran == ["edit-1"]


def test_a_worker_listens_to_no_commands(redis: Redis, queue: EditQueue) -> None:
    channels: list[object] = []
    queue.put("edit-1")

    worker(redis, run=lambda _: channels.extend(redis.pubsub_channels("*"))).work(burst=True)

    assert channels == []
