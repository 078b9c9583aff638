"""How long a client waits for a job, and how often it polls."""

import math
import time
from collections.abc import Callable

from palimpsest.errors import WaitTimeoutError

LONGEST_POLL_S = 20
PAUSE_S = 0.1
"""Between polls: were the service not to hold its answer back, this spares it."""


class Polling:
    """Ends after `timeout_s` seconds, or never."""

    def __init__(
        self,
        job_id: str,
        timeout_s: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job_id = job_id
        self._timeout_s = math.inf if timeout_s is None else timeout_s
        self._clock = clock
        self._until_s = clock() + self._timeout_s
        self._asked_for_s = 0

    def poll_s(self) -> int:
        """Seconds that the service may hold its next answer back."""
        left_s = max(self._until_s - self._clock(), 0)
        self._asked_for_s = math.ceil(min(left_s, LONGEST_POLL_S))
        return self._asked_for_s

    def check(self) -> None:
        """Raises `WaitTimeoutError` when the last poll was of no length: time was up."""
        if self._asked_for_s == 0:
            raise WaitTimeoutError(self._job_id, timeout_s=self._timeout_s)
