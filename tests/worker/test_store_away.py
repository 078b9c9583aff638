"""What a worker does while its store is away: nothing that would be lost."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_editor import FakeEditor
from redis import Redis
from run_edits import MakeResources, Submit, found

from contract.ledger.attempts import Attempts
from contract.ledger.ledger import Ledger, names
from contract.store.errors import StoreUnavailableError
from contract.store.identity import pin
from contract.store.store import CheckpointStore
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus
from worker.attempt.patience import await_store
from worker.presence.activity import Activity
from worker.tasks import run_edit


class Volume:
    """Where a store lies, which can be taken away."""

    def __init__(self, mount_point: Path) -> None:
        self.mount_point = mount_point
        self.store = CheckpointStore(mount_point)

    def take_away(self) -> None:
        self.mount_point.rename(self.mount_point.with_name("unmounted"))

    def bring_back(self) -> None:
        self.mount_point.with_name("unmounted").rename(self.mount_point)


@pytest.fixture
def volume(tmp_path: Path, redis: Redis) -> Volume:
    volume = Volume(tmp_path / "store")
    pin(volume.store, redis)
    return volume


def test_an_edit_is_not_begun_before_the_store_is_there(
    volume: Volume, ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, paused = submit(), list[tuple[float, EditStatus]]()

    def pause(seconds: float) -> None:
        paused.append((seconds, found(ledger, edit_id).status))
        if len(paused) == 3:
            volume.bring_back()

    volume.take_away()
    run_edit(edit_id, resources(store=volume.store, pause=pause))

    assert paused == [(seconds, EditStatus.QUEUED) for seconds in (0.5, 1.0, 2.0)]
    done = found(ledger, edit_id)
    assert (done.status, done.attempt) == (EditStatus.SUCCEEDED, 1)


@dataclass
class Silent:
    """A store that does not answer the first few times."""

    silences: int

    def check_present(self) -> None:
        self.silences -= 1
        if self.silences >= 0:
            raise StoreUnavailableError("EndpointConnectionError")


def test_a_store_that_does_not_answer_is_waited_for_as_well() -> None:
    paused: list[float] = []

    assert await_store(Silent(2), pause=paused.append, stopped=lambda: False)

    assert paused == [0.5, 1.0]


def test_a_worker_that_is_told_to_stop_waits_for_no_store(
    volume: Volume, ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, activity, editor = submit(), Activity(), FakeEditor()

    volume.take_away()
    activity.drain()
    run_edit(edit_id, resources(store=volume.store, activity=activity, editor=editor))

    waiting = found(ledger, edit_id)
    assert (waiting.status, waiting.attempt, editor.edited) == (EditStatus.QUEUED, 0, [])


def then_fail(act: Callable[[], None]) -> Callable[[], None]:
    def during() -> None:
        act()
        raise ZeroDivisionError

    return during


@pytest.mark.parametrize("fails", [False, True])
def test_an_edit_that_cannot_be_published_or_told_from_one_that_was_waits_for_the_store(
    volume: Volume,
    redis: Redis,
    ledger: Ledger,
    submit: Submit,
    resources: MakeResources,
    fails: bool,
) -> None:
    edit_id = submit()
    Attempts(redis, lease_s=30).claim(edit_id, worker_id="there-2-bb")
    redis.delete(names.lease(edit_id))
    during = then_fail(volume.take_away) if fails else volume.take_away

    run_edit(edit_id, resources(store=volume.store, editor=FakeEditor(during=during)))

    assert found(ledger, edit_id).status is EditStatus.QUEUED
    assert edit_id in ledger.queue("demo").ids()
    assert not volume.mount_point.exists()

    volume.bring_back()
    run_edit(edit_id, resources(store=volume.store))

    assert found(ledger, edit_id).status is EditStatus.SUCCEEDED
    assert volume.store.ids() == [checkpoint_id_of(edit_id)]
