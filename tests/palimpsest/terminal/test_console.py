"""Where the command line writes."""

import errno
import os
from io import StringIO

import pytest

from palimpsest.terminal.console import Console, UnwritableError


class Terminal(StringIO):
    """Says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_results_and_notes_go_their_own_ways() -> None:
    out, err = StringIO(), StringIO()
    console = Console(out, err)

    console.result("the answer")
    console.note("by the way")

    assert out.getvalue() == "the answer\n"
    assert err.getvalue() == "by the way\n"


def test_progress_is_silent_where_it_cannot_be_taken_back() -> None:
    err = StringIO()

    Console(StringIO(), err).progress("1/20 done")

    assert err.getvalue() == ""


def test_on_a_terminal_the_next_line_replaces_the_progress() -> None:
    err = Terminal()
    console = Console(StringIO(), err)

    console.progress("1/20 done")
    console.progress("2/20 done")
    console.note("end")

    assert err.getvalue() == "1/20 done\r\x1b[2K2/20 done\r\x1b[2Kend\n"


class Full(Terminal):
    """Lies on a disk that is full, or in a terminal that was closed."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_notes_that_cannot_be_written_stop_nothing() -> None:
    out = StringIO()
    console = Console(out, Full())

    console.note("the worker is started again")
    console.progress("1/20 done")
    console.result("the answer")

    assert out.getvalue() == "the answer\n"


def test_an_answer_that_cannot_be_written_is_an_error() -> None:
    with pytest.raises(UnwritableError, match="cannot be written: No space left on device"):
        Console(Full(), StringIO()).result("the answer")
