"""What bounds an edit: how often it is tried, how long it may wait, how long an attempt takes."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The same for every edit of a worker."""

    max_attempts: int
    memory_wait_s: float
    """How long an edit may wait for memory to become free."""
    deadline: Callable[[float | None], AbstractContextManager[None]]
    """Raises in an attempt that takes too long, given the seconds that its edit has left."""
    watchdog: Callable[[], AbstractContextManager[None]] = nullcontext
    """Ends the process when an attempt hangs where nothing can be raised."""
