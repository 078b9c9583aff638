"""Trying the store, by one thread at a time, so that one that hangs holds up nobody who asks."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition, Thread

from contract.logs import EventLog
from contract.store.errors import StoreFullError, StoreUnavailableError

FRESH_S = 2.0
"""How long what was found is told to all who ask."""
PATIENCE_S = 1.5
"""How old a try may be before those who ask wait for it no longer."""

log = EventLog("app.store")


class StoreSilentError(StoreUnavailableError):
    """The store has not answered yet."""

    def __init__(self, silent_s: float) -> None:
        super().__init__(f"no answer for {silent_s:.0f} s")


@dataclass(slots=True, kw_only=True)
class StoreProbe:
    """What came of the last try; a new one begins when somebody asks and that is no longer fresh.

    However many ask, there is one try in flight, and they wait for it together, `patience_s` from
    its start at most.
    """

    check: Callable[[], None]
    fresh_s: float = FRESH_S
    patience_s: float = PATIENCE_S
    clock: Callable[[], float] = time.monotonic
    _began_s: float | None = None
    _ended_s: float = float("-inf")
    _found: StoreUnavailableError | None = None
    _turn: Condition = field(default_factory=Condition)

    def fault(self) -> StoreUnavailableError | None:
        """What is wrong with the store, if anything is."""
        with self._turn:
            if self._began_s is None and self.clock() - self._ended_s >= self.fresh_s:
                self._begin()
            self._turn.wait_for(lambda: self._began_s is None, self._patience_left_s())
            if self._began_s is None:
                return self._found
            return StoreSilentError(self.clock() - self._began_s)

    @property
    def is_full(self) -> bool:
        """Whether the store is known to have no room; one that is away may have."""
        return isinstance(self.fault(), StoreFullError)

    def _patience_left_s(self) -> float:
        began_s = self.clock() if self._began_s is None else self._began_s
        return max(0.0, began_s + self.patience_s - self.clock())

    def _begin(self) -> None:
        self._began_s = self.clock()
        # A daemon: one that hangs must not keep the process from its end.
        Thread(target=self._try, name="store-probe", daemon=True).start()

    def _try(self) -> None:
        found = self._tried()
        with self._turn:
            self._found, self._began_s, self._ended_s = found, None, self.clock()
            self._turn.notify_all()

    def _tried(self) -> StoreUnavailableError | None:
        try:
            self.check()
        except StoreUnavailableError as error:
            return error
        except Exception as error:
            log.error("store_probe_broke", traceback=traceback.format_exc())
            return StoreUnavailableError(type(error).__name__)
        return None
