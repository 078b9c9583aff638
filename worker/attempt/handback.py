"""Handing an unfinished edit back, so that another worker begins it at once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from redis.exceptions import RedisError

from contract.ledger.attempts import Attempt, AttemptLostError, Attempts, CancelAskedError
from contract.ledger.queue import EditQueue
from contract.ledger.record import EditRecord
from contract.logs import EventLog
from contract.wire.lifecycle import QueuedReason

log = EventLog(__name__)


@dataclass(frozen=True, slots=True)
class HeadOfQueue:
    """Where an unfinished edit is put back. What does not arrive there is left to the sweep."""

    attempts: Attempts
    queue: EditQueue

    def hand_back(self, attempt: Attempt) -> None:
        """Queue the edit again, first in line."""
        self._put_first(attempt, partial(self.attempts.put_back, attempt, QueuedReason.RETRYING))

    def defer(self, attempt: Attempt, record: EditRecord, *, needed_bytes: int) -> None:
        """Queue the edit again, first in line, until there is memory for it."""
        put_back = partial(self.attempts.defer, attempt, record, needed_bytes=needed_bytes)
        self._put_first(attempt, put_back)

    def _put_first(self, attempt: Attempt, put_back: Callable[[], None]) -> None:
        told = {"edit_id": attempt.edit_id, "attempt": attempt.number}
        try:
            waits = _waits(put_back)
            # Who settles a cancel need not wait for the lease to run out.
            self.attempts.release(attempt)
            if waits:
                self.queue.put(attempt.edit_id, at_front=True)
        except AttemptLostError as lost:
            log.warning("attempt_lost", found=lost.found, **told)
        except RedisError as error:
            log.error("edit_left_to_the_sweep", reason=str(error), **told)
        else:
            log.info("edit_handed_back" if waits else "cancel_left_to_be_settled", **told)


def _waits(put_back: Callable[[], None]) -> bool:
    """Put the edit back; False when it is to be canceled and nothing else."""
    try:
        put_back()
    except CancelAskedError:
        return False
    return True
