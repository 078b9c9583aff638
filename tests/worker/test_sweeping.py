"""When a sweep puts the store in order."""

from types import SimpleNamespace
from typing import Any

from contract.store.errors import StoreUnavailableError
from contract.store.housekeeping import HousekeepingResult
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
    "restoration": SimpleNamespace(takes_turn=lambda: False, is_due=lambda: False),
    "is_announced": lambda: True,
    "announce": lambda: None,
}


def test_the_house_is_kept_once_an_hour_whatever_the_clock_says() -> None:
    kept: list[float] = []
    times = {"clock": 1_900_000_000.0, "monotonic": 0.0}

    def keep() -> HousekeepingResult:
        kept.append(times["monotonic"])
        return HousekeepingResult()

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


class Lost:
    """What Redis has lost; edits are listed in one's own turn, or in another worker's."""

    def __init__(self, *, is_mine: bool, is_away: bool = False) -> None:
        self.is_mine = is_mine
        self.is_away = is_away
        self.told: list[str] = []

    def takes_turn(self) -> bool:
        return self.is_mine

    def is_due(self) -> bool:
        return "edits" not in self.told

    def __call__(self) -> int:
        if self.is_away:
            raise StoreUnavailableError("Input/output error")
        self.told.append("edits")
        return 0

    def announce(self) -> None:
        self.told.append("model")

    def is_announced(self) -> bool:
        return "model" in self.told


def sweep_of(lost: Lost) -> Sweep:
    told = {"restoration": lost, "announce": lost.announce, "is_announced": lost.is_announced}
    return Sweep(**NOTHING_TO_DO | told, housekeeping=HousekeepingResult)


def test_edits_are_listed_before_the_model_is_told_of() -> None:
    lost = Lost(is_mine=True)

    sweep_of(lost)()

    assert lost.told == ["edits", "model"]


def test_who_does_not_list_them_tells_of_its_model_afterwards() -> None:
    lost = Lost(is_mine=False)
    sweep = sweep_of(lost)

    sweep()
    assert lost.told == []
    lost.told.append("edits")
    sweep()
    sweep()

    assert lost.told == ["edits", "model"]


def test_what_redis_lost_stays_to_be_told_while_the_store_is_away() -> None:
    lost = Lost(is_mine=True, is_away=True)

    sweep_of(lost)()

    assert lost.told == []
