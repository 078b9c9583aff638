"""Between the engine's passes: telling how far an edit is, and learning whether to go on."""

import time
from collections.abc import Callable

from contract.ledger.attempts import Attempt, AttemptLostError, Attempts
from contract.wire.lifecycle import Phase
from contract.wire.views import Progress
from worker.presence.activity import Activity

PROGRESS_EVERY_S = 0.2
CHECK_EVERY_S = 0.2

UNITS = {
    Phase.COLLECT: "layers",
    Phase.SELECT: "steps",
    Phase.WRITE: "steps",
    Phase.EVALUATE: "steps",
}


class ProgressReporter:
    """What the engine calls as it goes; stops an attempt that was overtaken or canceled."""

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
        self._checked_s = 0.0

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Tell a new phase at once, and progress within it now and then."""
        self._check_lease()
        self._enter(Phase(phase))
        now_s = self._monotonic()
        if now_s - self._told_s >= PROGRESS_EVERY_S:
            self._told_s = now_s
            unit = UNITS[Phase(phase)]
            self._attempts.progress(self._attempt, Progress(done=done, total=total, unit=unit))

    def between(self) -> None:
        """Called before each pass of the model: asks the ledger now and then."""
        self._check_lease()
        now_s = self._monotonic()
        if now_s - self._checked_s >= CHECK_EVERY_S:
            self._checked_s = now_s
            self._attempts.check(self._attempt)

    def _check_lease(self) -> None:
        if self._activity.has_lost(self._attempt):
            raise AttemptLostError(self._attempt.edit_id, found="no lease")

    def _enter(self, phase: Phase) -> None:
        if phase is not self._phase:
            self._phase = phase
            self._attempts.enter(self._attempt, phase)
