"""The API's own upkeep, so that edits end in time even when no worker is there."""

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

from redis.exceptions import RedisError

from contract.ledger.attempts import Attempts
from contract.ledger.errors import SchemaMismatchError
from contract.ledger.ledger import Ledger
from contract.ledger.retention import Retention
from contract.logs import EventLog
from contract.store.errors import StoreUnavailableError
from contract.store.identity import pin
from contract.store.settling import end_due
from contract.store.store import CheckpointStore

EVERY_S = 1.0
STOP_S = 2.0
"""How long shutdown waits for maintenance that a hanging store holds up."""
SILENT_LEASES = 3
"""For how many leases an edit is without its worker before another may have it. A worker that
was only cut off from Redis renews its lease within the first, and keeps its work."""

log = EventLog("app.maintenance")


@dataclass(slots=True, kw_only=True)
class Maintenance:
    """Ends what is overdue or to be canceled, lets go of edits whose worker stays silent, forgets
    old ones, and tells the store which one it has to be. Workers do the same in their sweeps,
    sooner, and neither minds the other."""

    ledger: Ledger
    attempts: Attempts
    store: CheckpointStore
    retention: Retention
    lease_s: float
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    silent_since_s: dict[str, float] = field(default_factory=dict)

    def __call__(self) -> None:
        """Once; raises `RedisError`, and `SchemaMismatchError` before anything is touched."""
        self.ledger.check_schema()
        with suppress(StoreUnavailableError):  # readiness tells it
            pin(self.store, self.ledger.redis)
        self._let_go()
        for edit_id, error in end_due(
            None,
            now_s=self.clock(),
            attempts=self.attempts,
            record_of=self.ledger.record,
            store=self.store,
        ):
            log.warning("edit_not_ended", edit_id=edit_id, reason=str(error))
        self.retention.forget_old()

    def _let_go(self) -> None:
        now_s = self.monotonic()
        silent = [i for i in self.attempts.running() if not self.attempts.is_held(i)]
        self.silent_since_s = {i: self.silent_since_s.get(i, now_s) for i in silent}
        for edit_id, since_s in self.silent_since_s.items():
            if now_s - since_s > SILENT_LEASES * self.lease_s and self.attempts.strand(edit_id):
                log.warning("worker_lost", edit_id=edit_id)


@contextmanager
def repeated(maintain: Callable[[], None], *, every_s: float = EVERY_S) -> Iterator[None]:
    """Maintain in a thread of its own during the block; a ledger that is out of reach is tried
    again later."""
    stopping = Event()

    def go() -> None:
        while not stopping.is_set():
            try:
                maintain()
            except (RedisError, SchemaMismatchError) as error:
                log.warning("not_tended", error=type(error).__name__)
            except Exception:
                log.error("tending_broke", traceback=traceback.format_exc())
            stopping.wait(every_s)

    thread = Thread(target=go, name="maintenance", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(STOP_S)
