"""Workers that are killed, stopped and told to leave."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from worker_house import House, wait_until

from contract.ledger import names
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus, Outcome, Phase
from contract.wire.serving import WorkerState

pytestmark = pytest.mark.slow

INTERMEDIATE = "rq:queue:palimpsest:demo:intermediate"
PROMISE_S = 15.0
AT_EASE_S = 0.4
"""Pause of a worker that is to be interrupted; it passes eight of them."""


@pytest.fixture
def house(redis_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(Redis.from_url(redis_url), redis_url, tmp_path)
    yield house
    house.close()


def test_an_edit_whose_worker_is_killed_in_the_middle_is_finished_by_another(
    house: House,
) -> None:
    first = house.start(pause_s=AT_EASE_S, lease_s=6.0)
    edit_id = house.submit()
    house.wait_for_phase(edit_id, Phase.SELECT)

    first.signal(signal.SIGKILL)
    house.start(lease_s=6.0)
    view = house.wait_for_end(edit_id, within_s=PROMISE_S)

    assert (view.status, view.outcome, view.attempt) == (
        EditStatus.SUCCEEDED,
        Outcome.HELD,
        2,
    )
    assert house.ends(edit_id) == ["succeeded"]
    assert house.manifests() == [checkpoint_id_of(edit_id)]


def test_an_edit_whose_worker_is_killed_before_it_claims_is_finished_by_another(
    house: House,
) -> None:
    edit_id = submit_to_a_stopped_worker(house)

    house.workers[0].signal(signal.SIGKILL)
    house.start(lease_s=6.0)
    view = house.wait_for_end(edit_id, within_s=PROMISE_S)

    assert (view.status, view.attempt) == (EditStatus.SUCCEEDED, 1)
    assert house.ends(edit_id) == ["succeeded"]
    assert house.redis.llen(INTERMEDIATE) == 0


def submit_to_a_stopped_worker(house: House) -> str:
    """Stop a worker while Redis hands it a job: it has taken the job, and knows nothing of it."""
    worker = house.start(lease_s=6.0)
    for _ in range(50):
        worker.signal(signal.SIGSTOP)
        edit_id = house.submit()
        if house.redis.lrange(INTERMEDIATE, 0, -1) == [edit_id.encode()]:
            return edit_id
        worker.signal(signal.SIGCONT)  # it was between two dequeues
        house.wait_for_end(edit_id)
    raise AssertionError("the worker was never stopped in a dequeue")


def test_a_job_lost_on_the_way_is_found_while_a_worker_is_idle(house: House) -> None:
    edit_id = house.submit()
    taken = house.redis.lmove("rq:queue:palimpsest:demo", INTERMEDIATE, "LEFT", "RIGHT")
    house.redis.lrem(INTERMEDIATE, 1, taken)
    house.start()

    view = house.wait_for_end(edit_id, within_s=PROMISE_S)

    assert (view.status, view.attempt) == (EditStatus.SUCCEEDED, 1)


def test_a_worker_told_to_leave_finishes_its_edit_and_begins_no_other(house: House) -> None:
    worker = house.start(pause_s=AT_EASE_S)
    edit_id, waiting = house.submit(), house.submit()
    house.wait_for_phase(edit_id, Phase.SELECT)

    worker.signal(signal.SIGTERM)
    presence = house.ledger.presence
    wait_until(lambda: [w.state for w in presence.workers()] == [WorkerState.DRAINING])
    status = worker.wait()

    assert status == 0
    assert house.find(edit_id).status is EditStatus.SUCCEEDED
    assert (house.find(waiting).status, house.find(waiting).attempt) == (EditStatus.QUEUED, 0)
    assert presence.workers() == ()


def test_an_idle_worker_leaves_when_told_to(house: House) -> None:
    worker = house.start()

    worker.signal(signal.SIGTERM)

    assert worker.wait() == 0
    assert house.ledger.presence.workers() == ()


def test_a_worker_told_twice_to_leave_hands_its_edit_back(house: House) -> None:
    worker = house.start(pause_s=AT_EASE_S)
    edit_id = house.submit()
    house.wait_for_phase(edit_id, Phase.COLLECT)

    worker.signal(signal.SIGTERM)
    time.sleep(1.1)  # sooner, and the two would count as one
    worker.signal(signal.SIGTERM)
    status = worker.wait()

    assert status == 1
    assert house.find(edit_id).status is EditStatus.QUEUED
    assert house.ledger.queue("demo").ids() == [edit_id]
    assert not house.redis.exists(names.lease(edit_id))
    assert house.ledger.presence.workers() == ()

    house.start()

    assert house.wait_for_end(edit_id).status is EditStatus.SUCCEEDED
    assert house.ends(edit_id) == ["succeeded"]


def test_a_worker_that_slept_past_its_lease_changes_nothing_when_it_wakes(house: House) -> None:
    sleeper = house.start(pause_s=AT_EASE_S)
    edit_id = house.submit()
    house.wait_for_phase(edit_id, Phase.COLLECT)

    sleeper.signal(signal.SIGSTOP)
    house.start()
    view = house.wait_for_end(edit_id)
    assert (view.status, view.attempt) == (EditStatus.SUCCEEDED, 2)
    left = house.traces(edit_id)
    sleeper.signal(signal.SIGCONT)
    wait_until(lambda: "attempt_lost" in sleeper.events())

    assert house.traces(edit_id) == left
    assert house.manifests() == [checkpoint_id_of(edit_id)]


def test_an_edit_longer_than_its_lease_runs_once(house: House) -> None:
    house.start(pause_s=AT_EASE_S, lease_s=1.0)
    house.start(pause_s=AT_EASE_S, lease_s=1.0)
    edit_id = house.submit()

    view = house.wait_for_end(edit_id)

    assert (view.status, view.attempt) == (EditStatus.SUCCEEDED, 1)


def test_several_workers_share_a_queue_and_each_edit_ends_once(house: House) -> None:
    for _ in range(2):
        house.start(pause_s=0.01)
    edit_ids = [house.submit() for _ in range(12)]

    views = [house.wait_for_end(edit_id) for edit_id in edit_ids]

    assert {view.status for view in views} == {EditStatus.SUCCEEDED}
    assert [house.ends(edit_id) for edit_id in edit_ids] == [["succeeded"]] * 12
    assert sorted(house.manifests()) == sorted(map(checkpoint_id_of, edit_ids))


def test_a_worker_tells_its_model_and_keeps_its_tokenizer(house: House) -> None:
    house.start()

    (model,) = house.ledger.presence.models()

    assert (model.name, model.architecture, model.workers) == ("demo", "LlamaForCausalLM", 1)
    assert model.tokenizer_sha256 is not None
    with house.store.open(model.tokenizer_sha256) as file:
        assert file.read() == b'{"version": "1.0"}'
