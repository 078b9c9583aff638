"""When a sweep puts the store in order."""

from types import SimpleNamespace
from typing import Any

from contract.store.errors import StoreUnavailableError
from contract.store.housekeeping import Kept
from worker.sweeping import Sweep

NOTHING_TO_DO: dict[str, Any] = {
    "model": "demo",
    "queue": None,
    "attempts": SimpleNamespace(
        requeue_stranded=lambda model, queue: [], canceling=lambda model: [], overdue=lambda now: []
    ),
    "record_of": lambda edit_id: None,
    "store": None,
    "retention": SimpleNamespace(forget_old=lambda: 0),
    "restoration": SimpleNamespace(takes_turn=lambda: False),
    "announce": lambda: None,
}


def test_the_house_is_kept_once_an_hour_whatever_the_clock_says() -> None:
    kept: list[float] = []
    times = {"clock": 1_900_000_000.0, "monotonic": 0.0}

    def keep() -> Kept:
        kept.append(times["monotonic"])
        return Kept()

    sweep = Sweep(
        **NOTHING_TO_DO,
        housekeeping=keep,
        clock=lambda: times["clock"],
        monotonic=lambda: times["monotonic"],
    )

    for monotonic, clock in (
        (0.0, 0.0),
        (60.0, 86_400.0),
        (3599.0, -86_400.0),
        (3600.0, -86_400.0),
    ):
        times = {"clock": 1_900_000_000.0 + clock, "monotonic": monotonic}
        sweep()

    assert kept == [0.0, 3600.0]


class Due:
    """A restoration that is due, and notes that it was made."""

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls

    def takes_turn(self) -> bool:
        return True

    def __call__(self) -> int:
        self.calls.append("restored")
        return 0


def test_what_redis_lost_stays_to_be_told_while_the_store_is_away() -> None:
    calls: list[str] = []

    def announce() -> None:
        calls.append("announced")
        raise StoreUnavailableError("Input/output error")

    told = NOTHING_TO_DO | {"restoration": Due(calls), "announce": announce}
    Sweep(**told, housekeeping=Kept)()

    assert calls == ["announced"]
