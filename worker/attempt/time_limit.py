"""The time that an attempt may take: the service's limit, or what is left until the deadline."""

import math
from contextlib import AbstractContextManager

from rq.timeouts import JobTimeoutException, UnixSignalDeathPenalty

from contract.store.settling import LATE


class DeadlineExceededError(JobTimeoutException):  # type: ignore[misc]  # rq is not followed by mypy
    """It is too late for the edit, as its request has it."""

    def __init__(self, *of_the_alarm: object) -> None:
        super().__init__(LATE.message)  # in our words, not in RQ's


def time_limit(limit_s: int, left_s: float | None) -> AbstractContextManager[None]:
    """Raises `JobTimeoutException` inside the block after `limit_s` seconds, and
    `DeadlineExceededError` after `left_s`, or at once if none are left."""
    if left_s is not None and left_s <= 0:
        raise DeadlineExceededError
    if left_s is None or left_s > limit_s:
        limit: AbstractContextManager[None] = UnixSignalDeathPenalty(limit_s, JobTimeoutException)
    else:
        limit = UnixSignalDeathPenalty(math.ceil(left_s), DeadlineExceededError)
    return limit
