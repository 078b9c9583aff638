"""Telling the ledger how far an edit is, without flooding it."""

import time
from collections.abc import Callable

from contract.attempts import Attempt, AttemptLostError, Attempts
from contract.lifecycle import Phase
from contract.views import Progress
from worker.activity import Activity

PROGRESS_EVERY_S = 0.2

UNITS = {
    Phase.COLLECT: "passes",
    Phase.SELECT: "steps",
    Phase.WRITE: "steps",
    Phase.EVALUATE: "steps",
}


class Narration:
    """What the engine calls between its passes; stops an attempt that was overtaken."""

    def __init__(
        self,
        attempt: Attempt,
        *,
        attempts: Attempts,
        activity: Activity,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._attempt = attempt
        self._attempts = attempts
        self._activity = activity
        self._monotonic = monotonic
        self._phase: Phase | None = None
        self._told_s = 0.0

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Tell a new phase at once, and progress within it now and then."""
        if self._activity.has_lost(self._attempt):
            raise AttemptLostError(self._attempt.edit_id, found="no lease")
        self._enter(Phase(phase))
        now_s = self._monotonic()
        if now_s - self._told_s >= PROGRESS_EVERY_S:
            self._told_s = now_s
            unit = UNITS[Phase(phase)]
            self._attempts.progress(self._attempt, Progress(done=done, total=total, unit=unit))

    def _enter(self, phase: Phase) -> None:
        if phase is not self._phase:
            self._phase = phase
            self._attempts.enter(self._attempt, phase)
