"""One edit, from its job to its end."""

import os
import traceback

from redis.exceptions import RedisError

from contract.ledger.attempts import Attempt, AttemptLostError, CancelAskedError
from contract.ledger.record import EditRecord
from contract.logs import EventLog, bound
from contract.store.errors import MissingStoreError, WithheldError
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from worker.attempt.endings import Canceled, Deferred, Ending, Failed, Postponed, Published, end
from worker.attempt.failures import failure, failure_of
from worker.attempt.fitting import MemoryTakenError
from worker.attempt.limits import Limits
from worker.attempt.making import make
from worker.attempt.patience import await_store, wait_s
from worker.attempt.resources import Resources
from worker.presence.fitness import DeviceFaultError, TaintedWeightsError, UnfitError

log = EventLog(__name__)


def run_edit(edit_id: str, resources: Resources) -> None:
    """Bring an edit to its end, unless it is final already or another worker has it. It is not
    begun before the store is there; told to stop meanwhile, the edit is left to the next sweep.

    Raises `RedisError` when the ledger stays away: the lease then runs out, and a sweep finds the
    edit. Handed back when the process is told to exit at once, and when it has to be replaced,
    which is told by `SystemExit`.
    """
    if not await_store(
        resources.store, pause=resources.pause, stopped=lambda: resources.activity.draining
    ):
        return
    attempt = resources.attempts.claim(edit_id, worker_id=resources.worker_id)
    record = resources.record_of(edit_id) if attempt else None
    if attempt is None or record is None:
        log.info("edit_not_claimed", edit_id=edit_id)
        return
    with bound(edit_id=edit_id, attempt=attempt.number, request_id=record.request_id):
        log.info("edit_started")
        _work(attempt, record, resources)


def _work(attempt: Attempt, record: EditRecord, resources: Resources) -> None:
    try:
        with resources.activity.holding(attempt), resources.limits.watchdog():
            ending = _ending(attempt, record, resources)
            end(attempt, ending, resources)
        if isinstance(ending, Deferred):
            resources.pause(wait_s(record.deferrals))
    except AttemptLostError as lost:
        log.warning("attempt_lost", found=lost.found)
    except UnfitError as unfit:
        log.error("worker_unfit", reason=str(unfit))
        if isinstance(unfit, TaintedWeightsError):
            resources.activity.taint()
        resources.hand_back(attempt)
        raise SystemExit(os.EX_SOFTWARE) from None
    except SystemExit:
        resources.hand_back(attempt)
        raise


def _ending(attempt: Attempt, record: EditRecord, resources: Resources) -> Ending:
    ending: Ending
    engine = resources.engine
    try:
        return _carry_out(attempt, record, resources)
    except (CancelAskedError, WithheldError):
        ending = Canceled()
    except MissingStoreError:
        ending = Postponed()
    except MemoryTakenError as taken:
        ending = _memory_taken(record, taken, limits=resources.limits, now_s=resources.clock())
    except (AttemptLostError, RedisError, UnfitError):
        raise
    except Exception as error:
        ending = Failed(failure_of(error, engine.codes))
        if ending.failure.code is ErrorCode.DEVICE_FAULT:
            raise DeviceFaultError(ending.failure.message) from None
        if ending.failure.code is ErrorCode.INTERNAL:
            # As text: a log record that kept the exception would keep its frames' tensors.
            log.error("edit_broke", traceback=traceback.format_exc())
    # Only here, where the exception and its frames are gone, can their memory be freed.
    engine.monitor.release()
    # A timeout may have struck between a command and its reply.
    resources.drop_connections()
    engine.weights.check()
    return ending


def _memory_taken(
    record: EditRecord, taken: MemoryTakenError, *, limits: Limits, now_s: float
) -> Deferred | Failed:
    if record.may_wait(now_s, limits.memory_wait_s):
        return Deferred(record, taken.needed_bytes)
    return Failed(failure(ErrorCode.MEMORY_INFEASIBLE, str(taken)))


def _carry_out(attempt: Attempt, record: EditRecord, resources: Resources) -> Ending:
    standing = resources.store.find(checkpoint_id_of(attempt.edit_id))
    if standing is not None:
        log.info("checkpoint_stands", by_attempt=standing.attempt)
        return Published(standing)
    most = resources.limits.max_attempts
    if attempt.number - record.deferrals > most:
        message = f"given up after {most} attempts that did not finish"
        return Failed(failure(ErrorCode.ATTEMPTS_EXHAUSTED, message))
    if record.has_hung:
        return Failed(failure(ErrorCode.TIMEOUT, "an attempt hung past its time limit"))
    return make(attempt, record, resources)
