"""A supervised worker that hangs, dies and finds itself unfit: the queue goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from worker_house import House, wait_until

from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus

pytestmark = pytest.mark.slow

BRIEF = {"PALIMPSEST_JOB_TIMEOUT_S": "1", "PALIMPSEST_HANG_GRACE_S": "1"}


@pytest.fixture
def house(redis_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(Redis.from_url(redis_url), redis_url, tmp_path)
    yield house
    house.close()


def test_a_hang_that_no_alarm_reaches_ends_as_timeout_and_the_queue_goes_on(house: House) -> None:
    house.supervise(lease_s=1.0, **BRIEF)
    hung = house.submit(fault="hang", phase="collect")
    waiting = house.submit()

    view, next_view = house.wait_for_end(hung), house.wait_for_end(waiting)

    assert view.error is not None
    assert (view.status, view.error.code) == (EditStatus.FAILED, ErrorCode.TIMEOUT)
    assert next_view.status is EditStatus.SUCCEEDED
    assert house.manifests() == [checkpoint_id_of(waiting)]


def test_a_hang_that_holds_the_interpreter_is_ended_too(house: House, tmp_path: Path) -> None:
    house.supervise(lease_s=1.0, **BRIEF)
    once = str(tmp_path / "struck")
    hung = house.submit(fault="hang_with_lock", phase="write", once=once)
    waiting = house.submit()

    view, next_view = house.wait_for_end(hung), house.wait_for_end(waiting)

    assert (view.status, view.attempt) == (EditStatus.SUCCEEDED, 2)
    assert next_view.status is EditStatus.SUCCEEDED


def test_an_edit_that_kills_its_worker_is_given_up_and_the_queue_goes_on(house: House) -> None:
    house.supervise(lease_s=1.0)
    poison = house.submit(fault="sigkill", phase="evaluate")
    waiting = house.submit()

    view, next_view = house.wait_for_end(poison), house.wait_for_end(waiting)

    assert view.error is not None
    assert (view.attempt, view.error.code) == (4, ErrorCode.ATTEMPTS_EXHAUSTED)
    assert next_view.status is EditStatus.SUCCEEDED


@pytest.mark.parametrize("fault", ["taint", "device_fault"])
def test_a_worker_that_is_unfit_is_replaced_and_its_edit_finished(
    house: House, tmp_path: Path, fault: str
) -> None:
    house.supervise(lease_s=1.0)
    (first,) = house.ledger.presence.workers()

    edit_id = house.submit(fault=fault, phase="select", once=str(tmp_path / "struck"))
    view = house.wait_for_end(edit_id)

    assert (view.status, view.attempt) == (EditStatus.SUCCEEDED, 2)
    assert house.manifests() == [checkpoint_id_of(edit_id)]
    wait_until(lambda: len(house.ledger.presence.workers()) == 1)
    (second,) = house.ledger.presence.workers()
    assert second.pid != first.pid
    assert second.state == "idle"
