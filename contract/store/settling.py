"""Ending an edit without a checkpoint, so that no attempt at it can publish one afterwards."""

from collections.abc import Callable, Iterator
from typing import Protocol

from contract.ledger.attempts import Attempt, AttemptLostError, Attempts
from contract.ledger.errors import UnreadableRecordError
from contract.ledger.record import EditRecord
from contract.store.errors import StoreError
from contract.wire.checkpoints import CheckpointView
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus
from contract.wire.views import EditFailure

NOBODY = ""
LATE = EditFailure(
    code=ErrorCode.DEADLINE_EXCEEDED,
    message="the deadline passed before the job finished",
    retryable=False,
)


class Withholding(Protocol):
    """The store, as far as it is asked."""

    def withhold(self, checkpoint_id: str) -> CheckpointView | None: ...


Record = Callable[[str], EditRecord | None]


def end_due(
    model: str | None,
    *,
    now_s: float,
    attempts: Attempts,
    record_of: Record,
    store: Withholding,
) -> Iterator[tuple[str, Exception]]:
    """Settle what is to be canceled, of one model or of all, and expire what is overdue. Tells each
    edit that stays as it is, since the store cannot tell now who was first, or its record says
    nothing, and why."""
    due: list[tuple[Callable[..., None], str]]
    due = [(settle, edit_id) for edit_id in attempts.canceling(model)]
    due += [(expire, edit_id) for edit_id in attempts.overdue(now_s)]
    for how, edit_id in due:
        try:
            how(edit_id, attempts=attempts, record_of=record_of, store=store)
        except (StoreError, UnreadableRecordError) as error:
            yield edit_id, error


def settle(edit_id: str, *, attempts: Attempts, record_of: Record, store: Withholding) -> None:
    """Cancel an edit that is to be canceled and that no live worker has.

    Until the store can tell whether something was published, which raises `StoreError`, the
    edit stays as it is.
    """
    record = record_of(edit_id)
    if record is None or record.status is not EditStatus.CANCELING or attempts.is_held(edit_id):
        return
    attempt = Attempt(edit_id, record.attempt, NOBODY)
    _end(attempt, attempts.cancel, attempts=attempts, store=store)


def expire(edit_id: str, *, attempts: Attempts, record_of: Record, store: Withholding) -> None:
    """End an edit that waits, or that a worker which fell silent was at, past its deadline; one in
    work is ended by its worker's alarm, and one that waits though an earlier attempt has published
    it is left to the worker that will find it.

    Raises `StoreError` as `settle` does.
    """
    record = record_of(edit_id)
    in_work = record is not None and record.status is EditStatus.RUNNING
    if in_work and attempts.is_held(edit_id):
        return
    if record is not None and (in_work or record.status is EditStatus.QUEUED):
        attempt = Attempt(edit_id, record.attempt, NOBODY)
        _end(attempt, lambda late: attempts.fail(late, LATE), attempts=attempts, store=store)
    attempts.forget_deadline(edit_id)


def _end(
    attempt: Attempt, how: Callable[[Attempt], None], *, attempts: Attempts, store: Withholding
) -> None:
    """A worker that only slept may wake up and publish: the store decides who was first."""
    standing = store.withhold(checkpoint_id_of(attempt.edit_id)) if attempt.number else None
    try:
        if standing is not None:
            attempts.succeed(attempt, standing.result, checkpoint_id=standing.id)
        else:
            how(attempt)
    except AttemptLostError:
        return  # somebody else has ended it
