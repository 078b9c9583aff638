"""How an attempt ends, and telling the ledger so."""

from dataclasses import dataclass

from contract.ledger.attempts import Attempt, AttemptLostError, Attempts, CancelAskedError
from contract.ledger.record import EditRecord, Result
from contract.logs import EventLog
from contract.store.errors import MissingStoreError, StoreError
from contract.store.settling import Withholding
from contract.wire.checkpoints import CheckpointView
from contract.wire.ids import checkpoint_id_of
from contract.wire.views import EditFailure
from worker.attempt.resources import Resources

log = EventLog(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """The edit's checkpoint stands."""

    checkpoint: CheckpointView


@dataclass(frozen=True, slots=True)
class Failed:
    """The edit has no checkpoint; `result` keeps what was found all the same."""

    failure: EditFailure
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Canceled:
    """The edit was stopped because it was asked to be."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """The edit does not fit now, and waits at the head of its queue until so much is free."""

    record: EditRecord
    needed_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Postponed:
    """The store is away: the edit waits at the head of its queue until it is back."""


Ending = Published | Failed | Canceled | Deferred | Postponed


def end(attempt: Attempt, ending: Ending, resources: Resources) -> None:
    """Tell the ledger; raises `AttemptLostError` when the attempt is over already."""
    match _outlived(attempt, ending, resources.store):
        case Published(checkpoint):
            resources.attempts.succeed(attempt, checkpoint.result, checkpoint_id=checkpoint.id)
            log.info("edit_succeeded", outcome=checkpoint.result.outcome)
        case Failed() as failed:
            check_lease(attempt, resources.attempts)
            _fail(attempt, failed, resources.attempts)
        case Canceled():
            resources.attempts.cancel(attempt)
            log.info("edit_canceled")
        case Deferred(record, needed_bytes):
            resources.defer(attempt, record, needed_bytes=needed_bytes)
            log.info("edit_deferred", deferrals=record.deferrals + 1)
            return
        case Postponed():
            resources.hand_back(attempt)
            log.warning("edit_postponed")
            return
    resources.attempts.release(attempt)
    resources.activity.ended()


def _fail(attempt: Attempt, failed: Failed, attempts: Attempts) -> None:
    """Tell that the edit failed; one that was to be canceled by then is canceled."""
    told = {"code": failed.failure.code, "message": failed.failure.message}
    try:
        attempts.fail(attempt, failed.failure, result=failed.result)
    except CancelAskedError:
        attempts.cancel(attempt)
        log.info("edit_canceled", failed_with=told)
    else:
        log.warning("edit_failed", **told)


def check_lease(attempt: Attempt, attempts: Attempts) -> None:
    """Fence what the ledger's scripts cannot see: an attempt that slept past its lease."""
    if not attempts.renew(attempt):
        raise AttemptLostError(attempt.edit_id, found="no lease")


def _outlived(attempt: Attempt, ending: Ending, store: Withholding) -> Ending:
    """The ending, unless an earlier attempt that only slept has published meanwhile; if it has not,
    it never will."""
    if attempt.number == 1 or isinstance(ending, (Published, Deferred, Postponed)):
        return ending
    try:
        standing = store.withhold(checkpoint_id_of(attempt.edit_id))
    except MissingStoreError:
        return Postponed()
    except StoreError as error:  # a store that takes nothing takes no late checkpoint either
        log.warning("not_withheld", reason=str(error))
        return ending
    return ending if standing is None else Published(standing)
