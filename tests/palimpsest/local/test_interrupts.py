"""Signals that ask `up` to stop."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from palimpsest.local.interrupts import Interrupts

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


def test_a_closed_terminal_ends_any_command_once_however_often_it_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        argv = (sys.executable, "-m", "palimpsest", "workers", "--url", url)
        with subprocess.Popen(argv, stderr=subprocess.PIPE) as command:
            assert command.stderr is not None
            silent.accept()
            command.send_signal(signal.SIGHUP)
            said = command.stderr.readline()
            while command.poll() is None:
                command.send_signal(signal.SIGHUP)

    assert (said, command.returncode) == (b"interrupted\n", 130)


def test_a_system_that_knows_no_hangup_has_its_commands_all_the_same() -> None:
    windows = (
        "import signal, sys; del signal.SIGHUP; sys.argv = ['palimpsest', '--version']; "
        "from palimpsest.__main__ import main; sys.exit(main())"
    )

    done = subprocess.run((sys.executable, "-c", windows), capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
