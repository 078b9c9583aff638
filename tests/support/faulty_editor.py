"""An engine that breaks where its requests ask for it: `metadata: {"fault": "hang", "phase": …}`.

Each fault strikes in the middle of a phase; `once` names a file that keeps it from striking again.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fake_editor import FakeEditor, FakeResult

FOR_GOOD_S = 3600


def _sigkill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang() -> None:
    """A call into C that gives the interpreter lock away, and that no alarm can end."""
    _hear_no_alarm()
    time.sleep(FOR_GOOD_S)


def _hang_with_lock() -> None:
    """A call into C that keeps the interpreter lock: no other thread runs any more."""
    _hear_no_alarm()
    ctypes.PyDLL(None).sleep(FOR_GOOD_S)


def _hear_no_alarm() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})


def _out_of_memory() -> None:
    raise MemoryError


def _exception() -> None:
    raise KeyError("spam")


def _device_fault() -> None:
    raise RuntimeError("CUDA error: device-side assert triggered")


FAULTS: Mapping[str, Callable[[], None]] = {
    "sigkill": _sigkill,
    "hang": _hang,
    "hang_with_lock": _hang_with_lock,
    "out_of_memory": _out_of_memory,
    "exception": _exception,
    "device_fault": _device_fault,
}


@dataclass
class FaultyEditor(FakeEditor):
    """Works like any other, unless its request says how it is to break."""

    def edit(
        self, request: Mapping[str, Any], *, watch: Callable[[str, int, int], None], **told: Any
    ) -> FakeResult:
        asked = request.get("metadata", {})

        def watched(phase: str, done: int, total: int) -> None:
            watch(phase, done, total)
            if phase == asked.get("phase") and done == 1:
                self._break(asked["fault"], asked.get("once"))

        return super().edit(request, watch=watched, **told)

    def _break(self, fault: str, once: str | None) -> None:
        if once is not None:
            try:
                Path(once).touch(exist_ok=False)
            except FileExistsError:
                return
        if fault == "taint":
            self.weights = "changed"
        else:
            FAULTS[fault]()
