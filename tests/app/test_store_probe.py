"""Trying the store: whoever asks is answered, also while it does not answer."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from app.store_probe import StoreProbe
from contract.store.errors import StoreFullError, StoreUnavailableError


class Clock:
    """Tells the time that it was set to."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Store:
    """Answers once it is told to, what it is told to."""

    def __init__(self) -> None:
        self.answers = Event()
        self.fault: Exception | None = None
        self.n_asked = 0

    def check_writable(self) -> None:
        self.n_asked += 1
        self.answers.wait()
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    yield store
    store.answers.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def probe(store: Store, clock: Clock) -> StoreProbe:
    return StoreProbe(check=store.check_writable, fresh_s=2.0, patience_s=60.0, clock=clock)


def test_a_store_that_hangs_is_reported_at_once_and_asked_once(
    store: Store, probe: StoreProbe, clock: Clock
) -> None:
    probe.patience_s = 0.0
    first = probe.fault()
    clock.now_s += 60

    with ThreadPoolExecutor(50) as pool:
        told = {str(fault) for fault in pool.map(lambda _: probe.fault(), range(50))}

    assert isinstance(first, StoreUnavailableError)
    assert told == {"no answer for 60 s"}
    assert store.n_asked == 1


def test_what_was_found_is_reported_while_it_is_fresh(
    store: Store, probe: StoreProbe, clock: Clock
) -> None:
    store.answers.set()
    assert probe.fault() is None

    store.fault = StoreUnavailableError("Permission denied")
    clock.now_s += 1.9
    assert probe.fault() is None
    clock.now_s += 0.1
    assert str(probe.fault()) == "Permission denied"

    assert store.n_asked == 2


def test_all_who_ask_meanwhile_wait_for_the_same_answer(store: Store, probe: StoreProbe) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(probe.fault) for _ in range(8)]
        store.fault = StoreUnavailableError("Permission denied")
        store.answers.set()

    assert {str(fault.result()) for fault in asked} == {"Permission denied"}
    assert store.n_asked == 1


def test_a_store_that_answers_again_is_well_again(
    store: Store, probe: StoreProbe, clock: Clock
) -> None:
    probe.patience_s = 0.0
    assert probe.fault() is not None
    probe.patience_s = 60.0

    store.answers.set()

    assert probe.fault() is None


def test_a_try_that_breaks_is_a_fault_and_not_the_last(
    store: Store, probe: StoreProbe, clock: Clock
) -> None:
    store.answers.set()
    store.fault = ZeroDivisionError()
    assert str(probe.fault()) == "ZeroDivisionError"

    store.fault = None
    clock.now_s += 2

    assert probe.fault() is None


def test_only_a_store_that_is_full_has_no_room(
    store: Store, probe: StoreProbe, clock: Clock
) -> None:
    store.answers.set()
    store.fault = StoreUnavailableError("Permission denied")
    assert not probe.is_full

    store.fault = StoreFullError("No space left on device")
    clock.now_s += 2

    assert probe.is_full
