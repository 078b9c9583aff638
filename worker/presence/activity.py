"""What the worker is doing now."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from contract.ledger.attempts import Attempt
from contract.wire.serving import WorkerState

WEIGHT_OF_LATEST = 0.2
"""How much the latest edit moves the mean: it follows a change of load within five edits or so."""


@dataclass(frozen=True, slots=True)
class CurrentAttempt:
    """An attempt in work, and when it began on the monotonic clock."""

    attempt: Attempt
    since_s: float


class Activity:
    """Shared by the thread that works, the one that tells, and the signal handler.

    Each field has one writer and is replaced whole, so nobody takes a lock: a signal handler that
    waited for a lock held by the code it interrupted would wait for ever.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._draining = False
        self._tainted = False
        self._holding: CurrentAttempt | None = None
        self._lost: Attempt | None = None
        self._mean_edit_s: float | None = None
        self._edits_done = 0

    @contextmanager
    def holding(self, attempt: Attempt) -> Iterator[None]:
        """The worker works at `attempt` meanwhile."""
        self._holding = CurrentAttempt(attempt, self._monotonic())
        try:
            yield
        finally:
            self._holding = None

    def ended(self) -> None:
        """The edit in work has come to its end, and counts; one that waits on has not."""
        assert self._holding is not None
        took_s = self._monotonic() - self._holding.since_s
        self._mean_edit_s = moving_average(self._mean_edit_s, latest=took_s)
        self._edits_done += 1

    def drain(self) -> None:
        """Take no more edits."""
        self._draining = True

    def taint(self) -> None:
        """Note that the weights cannot be trusted."""
        self._tainted = True

    @property
    def tainted(self) -> bool:
        return self._tainted

    def lose(self, attempt: Attempt) -> None:
        """Note that the lease of `attempt` is gone."""
        self._lost = attempt

    def has_lost(self, attempt: Attempt) -> bool:
        return self._lost == attempt

    @property
    def current(self) -> CurrentAttempt | None:
        return self._holding

    @property
    def draining(self) -> bool:
        return self._draining

    @property
    def state(self) -> WorkerState:
        if self._tainted:
            return WorkerState.TAINTED
        if self._draining:
            return WorkerState.DRAINING
        return WorkerState.IDLE if self._holding is None else WorkerState.BUSY

    @property
    def mean_edit_s(self) -> float | None:
        return self._mean_edit_s

    @property
    def edits_done(self) -> int:
        return self._edits_done


def moving_average(mean: float | None, *, latest: float) -> float:
    """The exponential mean after one more value."""
    return latest if mean is None else mean + WEIGHT_OF_LATEST * (latest - mean)
