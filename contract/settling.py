"""Ending an edit without a checkpoint, so that no attempt at it can publish one afterwards."""

from collections.abc import Callable
from typing import Protocol

from contract.attempts import Attempt, AttemptLostError, Attempts
from contract.ids import checkpoint_id_of
from contract.lifecycle import EditStatus
from contract.record import EditRecord
from contract.views import CheckpointView

NOBODY = ""


class Withholding(Protocol):
    """The store, as far as it is asked."""

    def withhold(self, checkpoint_id: str) -> CheckpointView | None: ...


def settle(
    edit_id: str,
    *,
    attempts: Attempts,
    record_of: Callable[[str], EditRecord | None],
    store: Withholding,
) -> None:
    """Cancel an edit that is to be canceled and that no live worker has.

    A worker that only slept may wake up and publish: the store decides who was first. Until it
    can, which raises `OSError`, the edit stays as it is.
    """
    record = record_of(edit_id)
    if record is None or record.status is not EditStatus.CANCELING or attempts.is_held(edit_id):
        return
    attempt = Attempt(edit_id, record.attempt, NOBODY)
    standing = store.withhold(checkpoint_id_of(edit_id))
    try:
        if standing is not None:
            attempts.succeed(attempt, standing.result, checkpoint_id=standing.id)
        else:
            attempts.cancel(attempt)
    except AttemptLostError:
        return  # somebody else has settled it
