"""What is shown while the demo model is made."""

import errno
import os
import sys
from io import StringIO

import pytest

from worker.demo.__main__ import show_progress


class Closed(StringIO):
    """A terminal that was closed."""

    def flush(self) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_closed_terminal_does_not_stop_the_training(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    terminal = Closed()
    terminal.isatty = lambda: is_terminal  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", terminal)

    show_progress(1, 2)

    assert "1/2" in terminal.getvalue()
