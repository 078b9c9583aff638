"""Programs that are kept running, and stopped in order."""

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from palimpsest.local.programs import Program, last_lines, size_bytes, start, wake
from palimpsest.local.restarts import (
    CONFIGURATION_ERRORS,
    LONGEST_PAUSE_S,
    Ending,
    GiveUp,
    after,
    manner,
)

GRACE_S = 10.0
TICK_S = 0.1
SHOWN_LINES = 15
SPARE_AFTER_S = 3.0
"""How long a process has been running when its spare begins to get ready, out of its way."""


class GivenUpError(Exception):
    """A program ended, and starting it again would not help."""

    def __init__(self, name: str, *, reason: str, returncode: int) -> None:
        self.is_configuration = returncode in CONFIGURATION_ERRORS
        super().__init__(f"{name} ended with {manner(returncode)}: {reason}")


@dataclass(slots=True)
class Child:
    """One program and its latest process."""

    program: Program
    process: "subprocess.Popen[bytes]"
    started_s: float
    log_begin: int
    quick_deaths: int = 0
    due_s: float | None = None
    """When it is started again; None while it runs."""
    spare: "subprocess.Popen[bytes] | None" = None
    """A process that got ready beforehand, and takes over when this one ends."""

    def kill(self) -> None:
        for process in filter(None, (self.process, self.spare)):
            process.kill()
            process.wait()

    def replace(self) -> None:
        """Go on with the spare, or with a fresh process where there is none."""
        spare, self.spare = self.spare, None
        self.process = spare if spare is not None and wake(spare) else start(self.program)


class Supervisor:
    """Keeps programs running; single-threaded, so call `tend` several times a second.

    It must be used from the thread that stays: the kernel ends children with their thread.
    """

    def __init__(
        self, *, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.was_ready = False
        self._tell = tell
        self._clock = clock
        self._children: dict[str, Child] = {}

    def add(self, program: Program) -> None:
        """Start a program and keep it running from now on."""
        begin = size_bytes(program.log)
        self._children[program.name] = Child(program, start(program), self._clock(), begin)

    def pid(self, name: str) -> int | None:
        """The process of a program; None while there is none."""
        child = self._children[name]
        return child.process.pid if child.due_s is None else None

    def tend(self) -> None:
        """Notice what ended and start what is due; raises `GivenUpError`."""
        for child in list(self._children.values()):
            if child.due_s is not None:
                self._restart_when_due(child, child.due_s)
            elif child.process.poll() is not None:
                self._plan_restart(child, child.process.returncode)
            elif self._wants_spare(child):
                with suppress(OSError):  # it can be done without, and is wanted again
                    child.spare = start(child.program, as_spare=True)

    def stop(self, name: str, *, grace_s: float | None, hurried: Callable[[], bool]) -> None:
        """End a program with SIGTERM, and with SIGKILL after `grace_s` or when hurried.

        The others are kept running: what drains still needs them.
        """
        child = self._children.pop(name, None)
        if child is None:
            return
        if child.spare is not None:
            child.spare.kill()
            child.spare.wait()
        if child.due_s is not None:
            return
        child.process.terminate()
        asked_s = self._clock()
        while child.process.poll() is None:
            late = grace_s is not None and self._clock() - asked_s > grace_s
            if late or hurried():
                child.process.kill()
                child.process.wait()
                return
            self.tend()
            time.sleep(TICK_S)

    def kill_all(self) -> None:
        """End whatever still runs, at once."""
        for child in self._children.values():
            child.kill()
        self._children.clear()

    def _wants_spare(self, child: Child) -> bool:
        lived_s = self._clock() - child.started_s
        wanted = child.program.has_spare and self.was_ready and lived_s >= SPARE_AFTER_S
        return wanted and child.spare is None

    def _plan_restart(self, child: Child, returncode: int) -> None:
        now_s = self._clock()
        lived_s = now_s - child.started_s
        ending = Ending(
            returncode=returncode,
            lived_s=lived_s,
            quick_deaths=child.quick_deaths,
            was_ready=self.was_ready,
        )
        program = child.program
        self._tell(f"{program.name} ended with {manner(returncode)} after {lived_s:.1f} s")
        if returncode >= 0:  # who was killed had no last words
            for line in last_lines(program.log, since_byte=child.log_begin, most=SHOWN_LINES):
                self._tell(f"  {program.name} | {line}")
        match after(ending):
            case GiveUp(reason):
                del self._children[program.name]
                raise GivenUpError(program.name, reason=reason, returncode=returncode)
            case restart:
                child.due_s = now_s + restart.pause_s
                child.quick_deaths = restart.quick_deaths

    def _restart_when_due(self, child: Child, due_s: float) -> None:
        if self._clock() < due_s:
            return
        child.log_begin = size_bytes(child.program.log)
        try:
            child.replace()
        except OSError as error:  # no room for a process or its log, just now
            self._tell(f"{child.program.name} cannot be started: {error.strerror}")
            child.due_s = self._clock() + LONGEST_PAUSE_S
            return
        child.started_s = self._clock()
        child.due_s = None
        self._tell(f"{child.program.name} is started again")


def wait_until(
    done: Callable[[], bool], *, supervisor: Supervisor, interrupted: Callable[[], bool]
) -> bool:
    """Tend the programs until something is so; False when interrupted first."""
    while not done():
        if interrupted():
            return False
        supervisor.tend()
        time.sleep(TICK_S)
    return True
