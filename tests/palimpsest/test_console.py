"""Where the command line writes."""

from io import StringIO

from palimpsest.console import Console


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
