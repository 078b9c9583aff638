"""Edits that are canceled while real workers work, sleep and die."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from worker_house import House, wait_until

from contract.ledger import names
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus, Phase

pytestmark = pytest.mark.slow

AT_EASE_S = 0.4
"""Pause of a worker that is to be interrupted; it passes eight of them."""


@pytest.fixture
def house(redis_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(Redis.from_url(redis_url), redis_url, tmp_path)
    yield house
    house.close()


def ends(house: House, edit_id: str) -> list[str]:
    finals = ("succeeded", "failed", "canceled")
    return [event.type for event in house.ledger.events(edit_id) if event.type in finals]


@pytest.mark.parametrize("phase", [Phase.COLLECT, Phase.SELECT, Phase.WRITE, Phase.EVALUATE])
def test_an_edit_in_work_is_canceled_and_the_worker_goes_on(house: House, phase: Phase) -> None:
    house.start(pause_s=AT_EASE_S)
    edit_id, waiting = house.submit(), house.submit()
    house.wait_for_phase(edit_id, phase)

    house.ledger.cancel(edit_id)
    view, next_view = house.wait_for_end(edit_id), house.wait_for_end(waiting)

    assert (view.status, next_view.status) == (EditStatus.CANCELED, EditStatus.SUCCEEDED)
    assert ends(house, edit_id) == ["canceled"]
    assert house.manifests() == [checkpoint_id_of(waiting)]


def test_an_edit_whose_worker_is_killed_while_it_is_canceling_is_canceled_by_another(
    house: House,
) -> None:
    first = house.start(pause_s=AT_EASE_S)
    edit_id = house.submit()
    house.wait_for_phase(edit_id, Phase.SELECT)
    first.signal(signal.SIGSTOP)
    house.ledger.cancel(edit_id)
    first.signal(signal.SIGKILL)

    house.start()
    view = house.wait_for_end(edit_id)

    assert (view.status, view.attempt) == (EditStatus.CANCELED, 1)
    assert ends(house, edit_id) == ["canceled"]


def test_a_worker_that_slept_through_a_cancel_publishes_nothing_when_it_wakes(
    house: House,
) -> None:
    sleeper = house.start(pause_s=AT_EASE_S)
    edit_id = house.submit()
    house.wait_for_phase(edit_id, Phase.EVALUATE)

    sleeper.signal(signal.SIGSTOP)
    wait_until(lambda: not house.redis.exists(names.lease(edit_id)))
    house.ledger.cancel(edit_id)
    house.start()
    view = house.wait_for_end(edit_id)
    sleeper.signal(signal.SIGCONT)
    time.sleep(4 * AT_EASE_S)

    assert view.status is EditStatus.CANCELED
    assert house.find(edit_id).status is EditStatus.CANCELED
    assert ends(house, edit_id) == ["canceled"]
    assert house.store.find(checkpoint_id_of(edit_id)) is None
