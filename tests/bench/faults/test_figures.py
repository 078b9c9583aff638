"""When the bench of faults holds."""

from typing import Any

import pytest

from bench.faults.figures import figures_of

KILL: dict[str, Any] = {
    "fault": "worker killed",
    "case": "in write",
    "is_kill": True,
    "recovery_s": 15.0,
    "lost": 0,
    "twice": 0,
    "tainted": 0,
    "as_promised": True,
}
PAUSE = KILL | {"fault": "redis paused", "is_kill": False, "recovery_s": 40.0}


def test_it_holds_when_every_promise_was_kept() -> None:
    figures = figures_of([KILL, KILL | {"recovery_s": 5.0}, PAUSE], whole=True)

    assert figures["holds"]
    assert figures["faults"]["worker killed"] == {"n": 2, "p50_s": 10.0, "max_s": 15.0}
    assert figures["slowest_recovery_from_a_kill_s"] == 15.0


@pytest.mark.parametrize(
    "change",
    [
        {"lost": 1},
        {"twice": 1},
        {"tainted": 1},
        {"as_promised": False},
        {"recovery_s": 15.01},
    ],
    ids=str,
)
def test_one_broken_promise_is_enough_for_it_not_to_hold(change: dict[str, Any]) -> None:
    assert not figures_of([PAUSE, KILL | change], whole=True)["holds"]


def test_a_part_holds_nothing() -> None:
    assert not figures_of([KILL], whole=False)["holds"]
