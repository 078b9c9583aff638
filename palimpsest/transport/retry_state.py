"""The state of one call's retries: whether, when and for how long it is tried again."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus

import httpx

from palimpsest.errors import UnreachableError
from palimpsest.problems import error_of
from palimpsest.transport.retries import RETRIED_STATUSES, Retries, retry_after_s

Outcome = httpx.Response | httpx.RequestError
FEED_RETRY_S = 1.0
"""Until a feed that ended before its time is asked for again, as the service wants it."""
LEAST_TRY_S = 3.0
"""What the last try is given at least: the service needs it to tell that its Redis hangs."""


class RetryState:
    """Counts what failed, and the time in which no answer came: pauses and tries together.

    A service that is busy (429) has answered: it is waited for as it asks.
    """

    def __init__(
        self,
        policy: Retries,
        *,
        timeout_s: float,
        held_s: float = 0.0,
        jitter: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`timeout_s` is what one try may take, beyond the `held_s` that the service is asked to
        hold its answer back."""
        self._policy = policy
        self._longest_try_s = timeout_s + held_s
        self._patience_s = max(policy.longest_s, timeout_s) + held_s
        self._jitter = jitter
        self._clock = clock
        self._failures = 0
        self._silent_since_s: float | None = clock()

    @property
    def timeout_s(self) -> float:
        """What the next try may take; the first one takes what it may."""
        if self._failures == 0:
            return self._longest_try_s
        return min(self._longest_try_s, max(self._left_s(), LEAST_TRY_S))

    def answered(self) -> None:
        """An answer has begun: should it break off, time without one is counted from then on."""
        self._silent_since_s = None

    def heard(self) -> None:
        """A line of a feed came: all is well so far."""
        self._failures = 0
        self.answered()

    def pause_after(self, outcome: Outcome) -> float:
        """Seconds until a call that had this outcome is sent again; raises the exception that the
        outcome stands for when it is not. A good answer is that of a feed that ended too early."""
        self._failures += 1
        if isinstance(outcome, httpx.Response) and outcome.is_success:
            return FEED_RETRY_S
        asked_s = _asked_s(outcome)
        pause_s = self._policy.pause_s(self._failures, retry_after_s=asked_s, jitter=self._jitter())
        if pause_s is None or not _is_passing(outcome):
            raise _error_of(outcome, asked_s)
        if _is_busy(outcome):
            self.answered()
        elif pause_s >= self._left_s():
            raise _error_of(outcome, asked_s)
        return pause_s

    def _left_s(self) -> float:
        now_s = self._clock()
        if self._silent_since_s is None:
            self._silent_since_s = now_s
        return self._silent_since_s + self._patience_s - now_s


def _error_of(outcome: Outcome, asked_s: float | None) -> Exception:
    if isinstance(outcome, httpx.Response):
        return error_of(outcome, retry_after_s=asked_s)
    url = outcome.request.url
    where = f"{url.scheme}://{url.netloc.decode()}"
    return UnreachableError(where, reason=str(outcome) or type(outcome).__name__)


def _is_busy(outcome: Outcome) -> bool:
    if isinstance(outcome, httpx.Response):
        return outcome.status_code == HTTPStatus.TOO_MANY_REQUESTS
    return False


def _is_passing(outcome: Outcome) -> bool:
    """Whether the same call may get a better answer later."""
    if isinstance(outcome, httpx.Response):
        return outcome.status_code in RETRIED_STATUSES
    return not isinstance(outcome, httpx.UnsupportedProtocol | httpx.LocalProtocolError)


def _asked_s(outcome: Outcome) -> float | None:
    if isinstance(outcome, httpx.Response):
        return retry_after_s(outcome.headers.get("Retry-After"), now=datetime.now(UTC))
    return None
