"""How long an edit that does not fit now waits before it is tried again."""

import time
from collections.abc import Callable

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
SLICE_S = 0.1


def wait_s(deferrals: int) -> float:
    """Twice as long each time: 0.5 s, 1 s, 2 s … and 30 s at most."""
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(deferrals, 16))


def wait(
    seconds: float, *, stopped: Callable[[], bool], sleep: Callable[[float], None] = time.sleep
) -> None:
    """Wait so long, or until told to stop."""
    left_s = seconds
    while left_s > 0 and not stopped():
        sleep(min(SLICE_S, left_s))
        left_s -= SLICE_S
