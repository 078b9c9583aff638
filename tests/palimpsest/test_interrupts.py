"""Signals that ask `up` to stop."""

import signal
from collections.abc import Iterator

import pytest

from palimpsest.interrupts import Interrupts

KINDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers_stay() -> Iterator[None]:
    """As a terminal starts a program, however the tests were started."""
    before = {number: signal.getsignal(number) for number in KINDS}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", KINDS)
def test_a_signal_asks_to_stop_in_order(number: signal.Signals) -> None:
    with Interrupts() as interrupts:
        assert not interrupts.asked_to_stop
        signal.raise_signal(number)
        assert (interrupts.asked_to_stop, interrupts.asked_to_hurry) == (True, False)


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_another_one_asks_to_hurry(first: signal.Signals, second: signal.Signals) -> None:
    with Interrupts() as interrupts:
        signal.raise_signal(first)
        signal.raise_signal(second)
        assert interrupts.asked_to_hurry


def test_a_closed_terminal_hurries_nobody_however_often_it_says_so() -> None:
    with Interrupts() as interrupts:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGHUP):
            signal.raise_signal(number)
        assert not interrupts.asked_to_hurry


def test_who_starts_it_with_nohup_keeps_it_running() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGHUP)
        assert not interrupts.asked_to_stop


def test_afterwards_all_is_as_it_was() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with Interrupts():
        pass
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
