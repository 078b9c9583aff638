"""A worker whose memory others take."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_editor import GIB
from redis import Redis
from worker_house import House, wait_until

from contract.wire.lifecycle import EditStatus, Phase
from contract.wire.serving import MemoryState, WorkerView

pytestmark = pytest.mark.slow


@pytest.fixture
def house(redis_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(Redis.from_url(redis_url), redis_url, tmp_path)
    yield house
    house.close()


def leave_free(house: House, n_bytes: int) -> None:
    file = house.data_dir / "free_bytes"
    file.with_suffix(".new").write_text(str(n_bytes))
    file.with_suffix(".new").rename(file)


def test_a_worker_tells_what_its_probes_found(house: House) -> None:
    house.start(PALIMPSEST_PROBES="1")

    wait_until(lambda: bool(house.ledger.presence.workers()[0].probes))

    (worker,) = house.ledger.presence.workers()
    assert [probe.ratio for probe in worker.probes] == [0.5, 0.5, 0.5]
    assert worker.calibration.factor == 1.0
    assert worker.probe_error is None


def test_a_worker_that_is_started_again_goes_by_what_was_found(house: House) -> None:
    first = house.start(PALIMPSEST_PROBES="1")
    wait_until(lambda: bool(house.ledger.presence.workers()[0].probes))
    probes = house.ledger.presence.workers()[0].probes
    first.process.kill()
    first.process.wait()

    second = house.start(PALIMPSEST_PROBES="1")
    wait_until(lambda: "calibration_kept" in second.events())

    pid = second.process.pid
    wait_until(lambda: any(w.pid == pid and w.probes for w in house.ledger.presence.workers()))
    found = next(w for w in house.ledger.presence.workers() if w.pid == pid)
    assert found.probes == probes
    assert "memory_calibrated" not in second.events()


def test_memory_that_others_take_during_an_edit_is_reported_by_worker_and_edit(
    house: House,
) -> None:
    def worker() -> WorkerView:
        return house.ledger.presence.workers()[0]

    house.start(pause_s=0.4)
    before = worker()
    edit_id = house.submit()
    house.wait_for_phase(edit_id, Phase.COLLECT)

    leave_free(house, GIB // 2)
    wait_until(lambda: worker().memory_state is MemoryState.TIGHT)
    tight = worker()
    edit = house.wait_for_end(edit_id)

    assert before.memory_state is MemoryState.AT_EASE
    assert (tight.free_bytes, tight.others_bytes) == (GIB // 2, 3 * GIB // 2)
    assert tight.budget_bytes < before.budget_bytes
    assert tight.memory_state_since > before.memory_state_since
    assert edit.status is EditStatus.SUCCEEDED
    told = [event for event in house.ledger.events(edit_id) if event.type == "memory"]
    assert [event.data["state"] for event in told] == ["tight"]
