"""Why an edit, or a request for one, fails: stable codes that users may program against."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """The `code` of a problem document and of a failed edit."""

    # of a request
    UNAUTHORIZED = "unauthorized"
    INVALID_REQUEST = "invalid_request"
    MODEL_UNKNOWN = "model_unknown"
    MEMORY_INFEASIBLE = "memory_infeasible"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"
    INVALID_CURSOR = "invalid_cursor"
    EDIT_NOT_FOUND = "edit_not_found"
    EDIT_GONE = "edit_gone"
    CHECKPOINT_NOT_FOUND = "checkpoint_not_found"
    CHECKPOINT_IN_USE = "checkpoint_in_use"
    EDIT_NOT_PUBLISHED = "edit_not_published"
    FILE_NOT_FOUND = "file_not_found"
    FULL_MODEL_UNAVAILABLE = "full_model_unavailable"
    BASE_UNAVAILABLE = "base_unavailable"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable"
    EDIT_FINAL = "edit_final"
    EDIT_NOT_FAILED = "edit_not_failed"
    NO_WORKER = "no_worker"
    QUEUE_FULL = "queue_full"
    LEDGER_UNAVAILABLE = "ledger_unavailable"
    KEYS_UNAVAILABLE = "keys_unavailable"
    # of an edit
    TARGET_UNREACHABLE = "target_unreachable"
    NOTHING_TO_ERASE = "nothing_to_erase"
    PROMPT_TOO_LONG = "prompt_too_long"
    NO_NEURONS = "no_neurons"
    NO_CHANGE = "no_change"
    NON_FINITE = "non_finite"
    NOT_HELD = "not_held"
    NOT_REPRODUCED = "not_reproduced"
    BASE_DIFFERS = "base_differs"
    RANK_TOO_LARGE = "rank_too_large"
    TIMEOUT = "timeout"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    GPU_OOM = "gpu_oom"
    DEVICE_FAULT = "device_fault"
    STORE_FULL = "store_full"
    STORE_UNAVAILABLE = "store_unavailable"
    STORE_CORRUPT = "store_corrupt"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    INTERNAL = "internal"


RETRYABLE = frozenset(
    {
        ErrorCode.NO_WORKER,
        ErrorCode.QUEUE_FULL,
        ErrorCode.LEDGER_UNAVAILABLE,
        ErrorCode.KEYS_UNAVAILABLE,
        ErrorCode.BASE_UNAVAILABLE,
        ErrorCode.TIMEOUT,
        ErrorCode.GPU_OOM,
        ErrorCode.DEVICE_FAULT,
        ErrorCode.STORE_FULL,
        ErrorCode.STORE_UNAVAILABLE,
        ErrorCode.STORE_CORRUPT,
        ErrorCode.NOT_REPRODUCED,
        ErrorCode.ATTEMPTS_EXHAUSTED,
        ErrorCode.INTERNAL,
    }
)
