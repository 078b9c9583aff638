"""Where the command line writes: results to stdout, what happens meanwhile to stderr."""

import shutil
from dataclasses import dataclass, field
from typing import TextIO

from palimpsest.tables import shorten

_ERASE_LINE = "\r\x1b[2K"


@dataclass(slots=True)
class Console:
    """Results and notes; on a terminal also one line of progress, which the next line replaces."""

    out: TextIO
    err: TextIO
    _progress: bool = field(default=False, init=False)

    def result(self, line: str) -> None:
        """Write a line of the answer that was asked for."""
        self._clear()
        print(line, file=self.out, flush=True)

    def note(self, line: str) -> None:
        """Tell a person what happens."""
        self._clear()
        print(line, file=self.err, flush=True)

    def progress(self, line: str) -> None:
        """Show what happens just now, where that can be taken back; elsewhere say nothing."""
        if not self.err.isatty():
            return
        self._clear()
        room = shutil.get_terminal_size().columns - 1
        print(shorten(line, room), end="", file=self.err, flush=True)
        self._progress = True

    def _clear(self) -> None:
        if self._progress:
            print(_ERASE_LINE, end="", file=self.err, flush=True)
            self._progress = False
