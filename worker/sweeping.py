"""What a worker puts in order between its edits."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from contract.ledger.attempts import Attempts
from contract.ledger.errors import RemovalOverdueError
from contract.ledger.queue import EditQueue
from contract.ledger.record import EditRecord
from contract.ledger.retention import Retention
from contract.logs import EventLog
from contract.store.errors import StoreError
from contract.store.housekeeping import HousekeepingResult
from contract.store.restoration import Restoration
from contract.store.settling import Withholding, end_due

HOUSEKEEPING_EVERY_S = 3600.0

log = EventLog(__name__)


@dataclass(slots=True)
class Round:
    """When the store was last put in order, on the monotonic clock."""

    began_s: float = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Edits whose worker or job was lost go back in line; those that are to end, end; old ones are
    forgotten, those that Redis lost are listed again, and the store is kept in bounds."""

    model: str
    queue: EditQueue
    attempts: Attempts
    record_of: Callable[[str], EditRecord | None]
    store: Withholding
    retention: Retention
    restoration: Restoration
    is_announced: Callable[[], bool]
    announce: Callable[[], None]
    housekeeping: Callable[[], HousekeepingResult]
    round: Round = field(default_factory=Round)
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    def __call__(self) -> None:
        self.recall()
        for edit_id in self.attempts.requeue_stranded(self.model, self.queue):
            log.warning("edit_swept", edit_id=edit_id)
        for edit_id, error in end_due(
            self.model,
            now_s=self.clock(),
            attempts=self.attempts,
            record_of=self.record_of,
            store=self.store,
        ):
            log.warning("edit_not_ended", edit_id=edit_id, reason=str(error))
        if n_forgotten := self.retention.forget_old():
            log.info("edits_forgotten", n=n_forgotten)
        if self.monotonic() - self.round.began_s >= HOUSEKEEPING_EVERY_S:
            self._keep_house()

    def recall(self) -> None:
        """Tell Redis again what it has lost, or was never told: the edits, of which one worker
        tells, and then the model, so that no request comes in before its idempotency key is known.
        """
        try:
            if self.restoration.takes_turn():
                log.info("ledger_restored", n=self.restoration())
            if not self.is_announced() and not self.restoration.is_due():
                self.announce()
        except StoreError as error:  # the next sweep tries again
            log.warning("not_recalled", reason=str(error))

    def _keep_house(self) -> None:
        self.round.began_s = self.monotonic()
        try:
            kept = self.housekeeping()
        except (StoreError, RemovalOverdueError) as error:
            log.warning("house_not_kept", reason=str(error))
            return
        if kept != HousekeepingResult():
            log.info("house_kept", removed=list(kept.removed), swept_bytes=kept.swept_bytes)
