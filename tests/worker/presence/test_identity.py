"""Who a worker is, and what it tells of itself."""

from datetime import UTC, datetime

from contract.admission.calibration import Probing
from contract.wire.serving import MemoryState
from worker.memory.device import MemoryReading
from worker.memory.monitor import Outlook
from worker.presence.activity import Activity
from worker.presence.identity import Identity, worker_view


def test_no_two_workers_have_the_same_name() -> None:
    first, second = (
        Identity.of_this_process(model="demo", device="cpu", now_s=0.0) for _ in range(2)
    )

    assert first.worker_id != second.worker_id
    assert first.started_at == datetime(1970, 1, 1, tzinfo=UTC)


def test_an_idle_worker_names_no_edit() -> None:
    identity = Identity.of_this_process(model="demo", device="cpu", now_s=0.0)

    outlook = Outlook(
        reading=MemoryReading(5, 9, 1),
        state=MemoryState.TIGHT,
        since=datetime(1970, 1, 1, tzinfo=UTC),
        budget_bytes=4,
        capacity_bytes=8,
        probing=Probing(error="timeout: too slow"),
        changed=False,
    )

    view = worker_view(identity, Activity(), outlook, now_s=60.0)

    assert (view.memory_state, view.others_bytes, view.capacity_bytes) == ("tight", 3, 8)
    assert (view.probes, view.probe_error) == ((), "timeout: too slow")
    assert (view.edit_id, view.free_bytes, view.total_bytes, view.budget_bytes) == (None, 5, 9, 4)
    assert view.heartbeat_at == datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
