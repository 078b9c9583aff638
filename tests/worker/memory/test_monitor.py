"""How tight the memory is, whoever takes it."""

import pytest
from fake_editor import GIB, FakeMemory

from contract.wire.serving import MemoryState
from worker.memory.monitor import Monitor, state_after

AT_EASE, TIGHT = MemoryState.AT_EASE, MemoryState.TIGHT


@pytest.mark.parametrize(
    ("room", "before", "after"),
    [
        (49, AT_EASE, TIGHT),
        (55, AT_EASE, AT_EASE),
        (55, TIGHT, TIGHT),
        (61, TIGHT, AT_EASE),
    ],
)
def test_the_state_changes_at_two_different_shares(
    room: int, before: MemoryState, after: MemoryState
) -> None:
    assert state_after(before, room_bytes=room, capacity_bytes=100) is after


def test_what_the_edit_in_work_holds_does_not_make_the_memory_tight() -> None:
    memory = FakeMemory(free_bytes=2 * GIB)
    monitor = Monitor(memory, weights_bytes=0, cap_bytes=None)

    memory.free_bytes, memory.own_bytes = GIB // 8, 2 * GIB - GIB // 8

    outlook = monitor.look()
    assert (outlook.state, outlook.reading.others_bytes) == (AT_EASE, 0)
    assert outlook.budget_bytes == monitor.room_bytes() == int(0.9 * 2 * GIB)


def test_the_time_of_a_change_stays_until_the_next() -> None:
    seconds = iter(range(100))
    memory = FakeMemory(free_bytes=2 * GIB)
    monitor = Monitor(memory, weights_bytes=0, cap_bytes=None, clock=lambda: float(next(seconds)))

    memory.free_bytes = GIB // 4
    first, second = monitor.look(), monitor.look()

    assert (first.changed, second.changed) == (True, False)
    assert first.since == second.since


def test_a_budget_that_is_set_is_held_against_itself() -> None:
    """Where edits may take a part only, the memory is not tight while that part is free."""
    memory = FakeMemory(free_bytes=GIB // 4)

    outlook = Monitor(memory, weights_bytes=0, cap_bytes=GIB // 8).look()

    assert (outlook.state, outlook.budget_bytes) == (AT_EASE, GIB // 8)
