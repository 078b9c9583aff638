"""Handing an unfinished edit back, so that another worker begins it at once."""

from collections.abc import Callable
from functools import partial

from redis.exceptions import RedisError

from contract.ledger.attempts import Attempt, AttemptLostError, Attempts, CancelAskedError
from contract.ledger.queue import EditQueue
from contract.ledger.record import EditRecord
from contract.logs import EventLog
from contract.wire.lifecycle import QueuedReason

log = EventLog(__name__)


def hand_back(attempt: Attempt, *, attempts: Attempts, queue: EditQueue) -> None:
    """Queue the edit again, first in line. What does not arrive is left to the sweep."""
    _put_first(attempt, lambda: attempts.put_back(attempt, QueuedReason.RETRYING), attempts, queue)


def defer(
    attempt: Attempt,
    record: EditRecord,
    *,
    needed_bytes: int,
    attempts: Attempts,
    queue: EditQueue,
) -> None:
    """Queue the edit again, first in line, until there is memory for it."""
    put_back = partial(attempts.defer, attempt, record, needed_bytes=needed_bytes)
    _put_first(attempt, put_back, attempts, queue)


def _put_first(
    attempt: Attempt, put_back: Callable[[], None], attempts: Attempts, queue: EditQueue
) -> None:
    told = {"edit_id": attempt.edit_id, "attempt": attempt.number}
    try:
        waits = _waits(put_back)
        attempts.release(attempt)  # who settles a cancel need not wait for the lease to run out
        if waits:
            queue.put(attempt.edit_id, at_front=True)
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
