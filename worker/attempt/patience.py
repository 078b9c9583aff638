"""How long a deferred edit waits, and waiting for a store that is away."""

import time
from collections.abc import Callable
from itertools import count
from typing import Protocol

from contract.logs import EventLog
from contract.store.errors import StoreUnavailableError

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
SLICE_S = 0.1

log = EventLog(__name__)


class Awaited(Protocol):
    """The store, as far as it is asked."""

    def check_present(self) -> None: ...


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


def await_store(
    store: Awaited, *, pause: Callable[[float], None], stopped: Callable[[], bool]
) -> bool:
    """Wait until the store is there, however long; False where told to stop before."""
    for tries in count():
        try:
            store.check_present()
            return True
        except StoreUnavailableError as error:
            log.warning("store_awaited", reason=str(error))
        if stopped():
            break
        pause(wait_s(tries))
    return False
