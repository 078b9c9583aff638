"""The standard streams of this process, which may be closed, full, or read by nobody."""

import os
import sys
from typing import TextIO

N_STREAM = 3


def open_missing() -> None:
    """Put the null device where a stream is closed: who closed it wants nothing told, and the next
    file that is opened must not take its place."""
    while (number := os.open(os.devnull, os.O_RDWR)) < N_STREAM:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def flush() -> None:
    """Write what is left of both, or drop it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            silence(stream)


def silence(stream: TextIO) -> None:
    """Drop what the stream did not take, and whatever follows: Python would complain as it ends."""
    try:
        number = stream.fileno()
    except OSError:  # it is none of the system's
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)
