"""Child processes that do not outlive their parent."""

import ctypes
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
SPARE = "--spare"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is run, and the file that keeps its output."""

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    cwd: Path
    log: Path
    has_spare: bool = False
    """Whether a second process, called with `--spare`, gets ready and waits for a line of input."""


def start(program: Program, *, as_spare: bool = False) -> "subprocess.Popen[bytes]":
    """Start a program in a process group of its own: a Ctrl-C in the terminal does not reach it."""
    with program.log.open("ab") as log:
        return subprocess.Popen(
            (*program.argv, SPARE) if as_spare else program.argv,
            env=dict(program.environ),
            cwd=program.cwd,
            stdin=subprocess.PIPE if as_spare else subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=dies_with_parent(),
        )


def wake(spare: "subprocess.Popen[bytes]") -> bool:
    """Let a spare process begin; whether it was still there to hear of it."""
    assert spare.stdin is not None
    try:
        with spare.stdin:
            spare.stdin.write(b"begin\n")
    except BrokenPipeError:
        return False
    return spare.poll() is None


def dies_with_parent() -> Callable[[], None] | None:
    """For `preexec_fn`: on Linux the kernel kills the child when the thread that started it
    ends, even by SIGKILL. Elsewhere None: there a killed parent leaves its children running."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork, not after
    parent = os.getpid()

    def ask_the_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)

    return ask_the_kernel


def size_bytes(log: Path) -> int:
    """How much a log holds; nothing where there is none: anyone may take it away."""
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def last_lines(log: Path, *, since_byte: int, most: int) -> list[str]:
    """The last lines that were written to a log after its first `since_byte` bytes."""
    try:
        with log.open("rb") as file:
            file.seek(since_byte)
            lines = deque((line for line in file if line.strip()), maxlen=most)
    except FileNotFoundError:
        return []
    return [line.decode("utf-8", errors="replace").rstrip() for line in lines]
