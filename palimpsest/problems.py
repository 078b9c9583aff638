"""The service's problems as exceptions: a class for each code, below the family of its status.

ServiceError
├── UnauthorizedError
├── RefusedError
│   ├── InvalidRequestError
│   ├── ModelUnknownError
│   ├── MemoryInfeasibleError
│   ├── PromptTooLongError
│   ├── IdempotencyMismatchError
│   ├── InvalidCursorError
│   ├── MethodNotAllowedError
│   ├── PayloadTooLargeError
│   └── RangeNotSatisfiableError
├── NotFoundError
│   ├── EditNotFoundError
│   ├── EditGoneError
│   ├── CheckpointNotFoundError
│   └── FileNotInCheckpointError
├── ConflictError
│   ├── EditFinalError
│   ├── EditNotFailedError
│   ├── EditNotPublishedError
│   ├── CheckpointInUseError
│   └── FullModelUnavailableError
├── BusyError
│   └── QueueFullError
├── UnavailableError
│   ├── NoWorkerError
│   ├── LedgerUnavailableError
│   ├── KeysUnavailableError
│   ├── StoreUnavailableError
│   ├── StoreFullError
│   └── BaseUnavailableError
├── StoreCorruptError
└── InternalError
"""

from collections.abc import Sequence
from http import HTTPStatus

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from contract.wire.failures import ErrorCode
from palimpsest.errors import (
    BusyError,
    ConflictError,
    FieldProblem,
    NotFoundError,
    RefusedError,
    ServiceError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedAnswerError,
)
from palimpsest.terminal.tables import one_line


class InvalidRequestError(RefusedError):
    """The request is malformed; `fields` say where."""


class ModelUnknownError(RefusedError):
    """No such model is served; `members["models"]` are."""


class MemoryInfeasibleError(RefusedError):
    """The edit fits no worker's memory; `members["admission"]` has the figures."""


class PromptTooLongError(RefusedError):
    """A prompt with its answer has more tokens than the model has positions."""


class IdempotencyMismatchError(RefusedError):
    """The idempotency key was used for another request."""


class InvalidCursorError(RefusedError):
    """The cursor is none that the service gave out."""


class MethodNotAllowedError(RefusedError):
    """The path knows no such method."""


class PayloadTooLargeError(RefusedError):
    """The body is larger than the service takes."""


class RangeNotSatisfiableError(RefusedError):
    """The range names no byte of the file."""


class EditNotFoundError(NotFoundError):
    """There is no such edit."""


class EditGoneError(NotFoundError):
    """There was such an edit; it is not kept any more."""


class CheckpointNotFoundError(NotFoundError):
    """There is no such checkpoint."""


class FileNotInCheckpointError(NotFoundError):
    """The checkpoint has no such file."""


class EditFinalError(ConflictError):
    """The edit has ended: there is nothing to cancel."""


class EditNotFailedError(ConflictError):
    """Only what failed or was canceled is tried again."""


class EditNotPublishedError(ConflictError):
    """The edit has no checkpoint that could be composed."""


class CheckpointInUseError(ConflictError):
    """Another checkpoint is built on it, or is about to be."""


class FullModelUnavailableError(ConflictError):
    """The base is kept in a form over which no columns can be laid."""


class QueueFullError(BusyError):
    """As many edits of the model wait in line as may."""


class NoWorkerError(UnavailableError):
    """Nobody is there to make the edit."""


class LedgerUnavailableError(UnavailableError):
    """The service cannot reach its Redis."""


class KeysUnavailableError(UnavailableError):
    """The service cannot read its list of API keys."""


class StoreUnavailableError(UnavailableError):
    """The service cannot read its store, or cannot write to it."""


class StoreFullError(UnavailableError):
    """The service's checkpoint store is full."""


class BaseUnavailableError(UnavailableError):
    """The base model's files are not at hand."""


class StoreCorruptError(ServiceError):
    """The store no longer holds what was published."""


class InternalError(ServiceError):
    """Something unexpected happened; the request id leads to the log."""


BY_CODE: dict[str, type[ServiceError]] = {
    ErrorCode.UNAUTHORIZED: UnauthorizedError,
    ErrorCode.INVALID_REQUEST: InvalidRequestError,
    ErrorCode.MODEL_UNKNOWN: ModelUnknownError,
    ErrorCode.MEMORY_INFEASIBLE: MemoryInfeasibleError,
    ErrorCode.PROMPT_TOO_LONG: PromptTooLongError,
    ErrorCode.IDEMPOTENCY_MISMATCH: IdempotencyMismatchError,
    ErrorCode.INVALID_CURSOR: InvalidCursorError,
    ErrorCode.METHOD_NOT_ALLOWED: MethodNotAllowedError,
    ErrorCode.PAYLOAD_TOO_LARGE: PayloadTooLargeError,
    ErrorCode.RANGE_NOT_SATISFIABLE: RangeNotSatisfiableError,
    ErrorCode.NOT_FOUND: NotFoundError,
    ErrorCode.EDIT_NOT_FOUND: EditNotFoundError,
    ErrorCode.EDIT_GONE: EditGoneError,
    ErrorCode.CHECKPOINT_NOT_FOUND: CheckpointNotFoundError,
    ErrorCode.FILE_NOT_FOUND: FileNotInCheckpointError,
    ErrorCode.EDIT_FINAL: EditFinalError,
    ErrorCode.EDIT_NOT_FAILED: EditNotFailedError,
    ErrorCode.EDIT_NOT_PUBLISHED: EditNotPublishedError,
    ErrorCode.CHECKPOINT_IN_USE: CheckpointInUseError,
    ErrorCode.FULL_MODEL_UNAVAILABLE: FullModelUnavailableError,
    ErrorCode.QUEUE_FULL: QueueFullError,
    ErrorCode.NO_WORKER: NoWorkerError,
    ErrorCode.LEDGER_UNAVAILABLE: LedgerUnavailableError,
    ErrorCode.KEYS_UNAVAILABLE: KeysUnavailableError,
    ErrorCode.BASE_UNAVAILABLE: BaseUnavailableError,
    ErrorCode.STORE_UNAVAILABLE: StoreUnavailableError,
    ErrorCode.STORE_FULL: StoreFullError,
    ErrorCode.STORE_CORRUPT: StoreCorruptError,
    ErrorCode.INTERNAL: InternalError,
}
_BY_STATUS: dict[int, type[ServiceError]] = {
    HTTPStatus.UNAUTHORIZED: UnauthorizedError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.GONE: NotFoundError,
    HTTPStatus.TOO_MANY_REQUESTS: BusyError,
    HTTPStatus.SERVICE_UNAVAILABLE: UnavailableError,
}
"""For the codes of a service that is newer than this client."""


class _Field(BaseModel):
    pointer: str
    detail: str


class _Problem(BaseModel):
    """An RFC 9457 document; what is not of every problem stays in `model_extra`."""

    model_config = ConfigDict(extra="allow")

    code: str
    detail: str = ""
    title: str = ""
    request_id: str | None = None
    errors: tuple[_Field, ...] | None = None


def invalid_request(error: ValidationError) -> InvalidRequestError:
    """What the service would answer to a request that is found wrong before it is sent."""
    fields = tuple(FieldProblem(_pointer(each["loc"]), _what(each)) for each in error.errors())
    told = "; ".join(f"{field.pointer}: {field.detail}" for field in fields[:3])
    status = HTTPStatus.UNPROCESSABLE_ENTITY.value
    return InvalidRequestError(status, code=ErrorCode.INVALID_REQUEST, detail=told, fields=fields)


def _pointer(place: Sequence[str | int]) -> str:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in place)
    return "#" + "".join(f"/{step}" for step in steps)


def _what(found: ErrorDetails) -> str:
    return found["msg"].removeprefix("Value error, ")


def unexpected(response: httpx.Response) -> UnexpectedAnswerError:
    """What an answer that is none of the service's stands for; it may be in any encoding."""
    body = one_line(response.content[:200].decode(errors="replace"))
    return UnexpectedAnswerError(str(response.url), status=response.status_code, body=body)


def error_of(
    response: httpx.Response, *, retry_after_s: float | None = None
) -> ServiceError | UnexpectedAnswerError:
    """The exception that an answer of 400 and above stands for."""
    try:
        problem = _Problem.model_validate_json(response.content)
    except ValidationError:
        return unexpected(response)
    family = RefusedError if response.is_client_error else ServiceError
    by_status = _BY_STATUS.get(response.status_code, family)
    return BY_CODE.get(problem.code, by_status)(
        response.status_code,
        code=problem.code,
        detail=problem.detail or problem.title,
        request_id=problem.request_id,
        fields=tuple(FieldProblem(field.pointer, field.detail) for field in problem.errors or ()),
        retry_after_s=retry_after_s,
        members=problem.model_extra,
    )
