"""Where the command line writes: results to stdout, what happens meanwhile to stderr."""

import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TextIO

from palimpsest.terminal.streams import silence
from palimpsest.terminal.tables import shorten

_ERASE_LINE = "\r\x1b[2K"


class UnwritableError(Exception):
    """Nobody takes the answer: who read it has gone, or there is no room for it."""

    def __init__(self, cause: OSError) -> None:
        self.was_left = isinstance(cause, BrokenPipeError)
        super().__init__(f"the answer cannot be written: {cause.strerror}")


@dataclass(slots=True)
class Console:
    """Results and notes; on a terminal also one line of progress, which the next line replaces."""

    out: TextIO
    err: TextIO
    _progress: bool = field(default=False, init=False)

    def result(self, line: str) -> None:
        """Write a line of the answer that was asked for; raises `UnwritableError`."""
        self._tell(self._erased())
        try:
            print(line, file=self.out, flush=True)
        except OSError as error:
            silence(self.out)
            raise UnwritableError(error) from error

    def note(self, line: str) -> None:
        """Tell a person what happens."""
        self._tell(f"{self._erased()}{line}\n")

    def progress(self, line: str) -> None:
        """Show what happens just now, where that can be taken back; elsewhere say nothing."""
        if not self.err.isatty():
            return
        room = shutil.get_terminal_size().columns - 1
        self._tell(f"{self._erased()}{shorten(line, room)}")
        self._progress = True

    def _erased(self) -> str:
        """What takes the progress back, if there is any."""
        was_there, self._progress = self._progress, False
        return _ERASE_LINE if was_there else ""

    def _tell(self, text: str) -> None:
        """A terminal that was closed, or a full disk, stops nothing of what is told."""
        with suppress(OSError):
            print(text, end="", file=self.err, flush=True)
