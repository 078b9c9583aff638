"""Ctrl-C, SIGTERM and a terminal that is closed, counted instead of thrown."""

import signal
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Self

HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""A terminal that is closed; Windows, where the client works too, has no such signal."""


def obeyed() -> Iterator[signal.Signals]:
    """The signals that ask a program to stop; who starts it with `nohup` wants SIGHUP ignored."""
    yield signal.SIGINT
    yield signal.SIGTERM
    if HANGUP is not None and signal.getsignal(HANGUP) is not signal.SIG_IGN:
        yield HANGUP


class Interrupts:
    """A `with` block in which a signal only raises the count; the old handlers come back after."""

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[signal.Signals, object] = {}

    @property
    def asked_to_stop(self) -> bool:
        return self.count > 0

    @property
    def asked_to_hurry(self) -> bool:
        return self.count > 1

    def __enter__(self) -> Self:
        for number in obeyed():
            self._before[number] = signal.signal(number, self._count)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() gave us

    def _count(self, number: int, frame: FrameType | None) -> None:
        """A terminal that is closed may say so twice, and nobody is there who would hurry."""
        if number != HANGUP or not self.asked_to_stop:
            self.count += 1
