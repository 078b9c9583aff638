"""Why an attempt failed: the table from exception classes to the codes that users see."""

import re
from collections.abc import Mapping

from rq.timeouts import JobTimeoutException

from contract.ledger.errors import UnknownRequestError
from contract.memory import ExcessError, ran_out
from contract.store.errors import (
    BudgetExceededError,
    CorruptFileError,
    NewerManifestError,
    StoreFullError,
    StoreUnavailableError,
    UnreadableManifestError,
)
from contract.wire.failures import RETRYABLE, ErrorCode
from contract.wire.views import EditFailure
from worker.attempt.lineage import CheckpointGoneError, OtherBaseError
from worker.attempt.time_limit import DeadlineExceededError

Codes = Mapping[type[Exception], ErrorCode]

SERVICE_CODES: Codes = {
    CorruptFileError: ErrorCode.STORE_CORRUPT,
    UnreadableManifestError: ErrorCode.STORE_CORRUPT,
    NewerManifestError: ErrorCode.STORE_UNAVAILABLE,
    UnknownRequestError: ErrorCode.INVALID_REQUEST,
    BudgetExceededError: ErrorCode.STORE_FULL,
    StoreFullError: ErrorCode.STORE_FULL,
    StoreUnavailableError: ErrorCode.STORE_UNAVAILABLE,
    CheckpointGoneError: ErrorCode.CHECKPOINT_NOT_FOUND,
    OtherBaseError: ErrorCode.BASE_DIFFERS,
    JobTimeoutException: ErrorCode.TIMEOUT,
    DeadlineExceededError: ErrorCode.DEADLINE_EXCEEDED,
    MemoryError: ErrorCode.GPU_OOM,
    ExcessError: ErrorCode.MEMORY_INFEASIBLE,
}

# How CUDA tells what went wrong below torch, whatever torch's class for it.
_DEVICE_FAULT = re.compile(r"CUDA error: |cuDNN error: ")


def engine_codes() -> Codes:
    """The engine's own errors; asked for by the process that has loaded it."""
    # Imported here because the engine brings torch, and this table is needed without both.
    from torch import AcceleratorError, OutOfMemoryError

    from worker.kn import errors as kn

    return {
        kn.BadRequestError: ErrorCode.INVALID_REQUEST,
        kn.UnreachableTargetError: ErrorCode.TARGET_UNREACHABLE,
        kn.NothingToEraseError: ErrorCode.NOTHING_TO_ERASE,
        kn.PromptTooLongError: ErrorCode.PROMPT_TOO_LONG,
        kn.NoNeuronsError: ErrorCode.NO_NEURONS,
        kn.NoChangeError: ErrorCode.NO_CHANGE,
        kn.NonFiniteError: ErrorCode.NON_FINITE,
        kn.NotReproducedError: ErrorCode.NOT_REPRODUCED,
        kn.RankTooLargeError: ErrorCode.RANK_TOO_LARGE,
        OutOfMemoryError: ErrorCode.GPU_OOM,
        AcceleratorError: ErrorCode.DEVICE_FAULT,
    }


def code_of(error: Exception, codes: Codes) -> ErrorCode:
    """The code of the nearest class in the table; `internal` for one that nobody foresaw."""
    if ran_out(error):
        return ErrorCode.GPU_OOM
    if isinstance(error, RuntimeError) and _DEVICE_FAULT.match(str(error)):
        return ErrorCode.DEVICE_FAULT
    known = (codes[kind] for kind in type(error).__mro__ if kind in codes)
    return next(known, ErrorCode.INTERNAL)


def failure_of(error: Exception, codes: Codes) -> EditFailure:
    """What the user is told of an exception; it refers to nothing that the exception holds."""
    return failure(code_of(error, codes), message_of(error))


def failure(code: ErrorCode, message: str) -> EditFailure:
    return EditFailure(code=code, message=message, retryable=code in RETRYABLE)


def message_of(error: Exception) -> str:
    """The exception's own text, and what was noted of it on its way."""
    # The text of an OSError names a path of this machine; its reason alone says enough.
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "; ".join([str(error) or type(error).__name__, *getattr(error, "__notes__", ())])
