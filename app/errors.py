"""What the API refuses and why, and the HTTP status that each code is answered with."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from contract.wire.estimates import Admission
from contract.wire.failures import ErrorCode
from contract.wire.frozen import Frozen
from contract.wire.lifecycle import EditStatus

STATUS: dict[ErrorCode, HTTPStatus] = {
    ErrorCode.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    ErrorCode.INVALID_REQUEST: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.MODEL_UNKNOWN: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.MEMORY_INFEASIBLE: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.PROMPT_TOO_LONG: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.IDEMPOTENCY_MISMATCH: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.INVALID_CURSOR: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.EDIT_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.EDIT_GONE: HTTPStatus.GONE,
    ErrorCode.CHECKPOINT_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.FILE_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    ErrorCode.PAYLOAD_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorCode.RANGE_NOT_SATISFIABLE: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    ErrorCode.CHECKPOINT_IN_USE: HTTPStatus.CONFLICT,
    ErrorCode.EDIT_NOT_PUBLISHED: HTTPStatus.CONFLICT,
    ErrorCode.EDIT_FINAL: HTTPStatus.CONFLICT,
    ErrorCode.EDIT_NOT_FAILED: HTTPStatus.CONFLICT,
    ErrorCode.NO_WORKER: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.QUEUE_FULL: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.LEDGER_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.KEYS_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.FULL_MODEL_UNAVAILABLE: HTTPStatus.CONFLICT,
    ErrorCode.BASE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.STORE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.STORE_FULL: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.STORE_CORRUPT: HTTPStatus.INTERNAL_SERVER_ERROR,
    ErrorCode.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class FieldError(Frozen):
    """What is wrong with one part of a request: `#/…` in the body, `?…` in the query, or the
    name of a header."""

    pointer: str
    detail: str


class ApiError(Exception):
    """Root of the API's errors; each becomes a problem document.

    ApiError
    ├── UnauthorizedError
    ├── KeysUnavailableError
    ├── InvalidRequestError
    ├── InvalidCursorError
    ├── ModelUnknownError
    ├── MemoryInfeasibleError
    ├── PromptTooLongError
    ├── NoWorkerError
    ├── NoRoomError
    ├── EditNotFoundError
    ├── EditGoneError
    ├── EditFinalError
    ├── EditNotFailedError
    ├── RangeNotSatisfiableError
    └── CheckpointError, see `app.checkpoint_errors`
    """

    code: ErrorCode

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
        members: dict[str, Any] | None = None,
    ) -> None:
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers or {}
        self.members = members or {}
        super().__init__(detail)


class UnauthorizedError(ApiError):
    """The request carries no key of this service."""

    code = ErrorCode.UNAUTHORIZED

    def __init__(self) -> None:
        super().__init__(
            "send a key of this service as `Authorization: Bearer …`",
            headers={"WWW-Authenticate": 'Bearer realm="palimpsest"'},
        )


class KeysUnavailableError(ApiError):
    """The service cannot tell now whose key it is."""

    code = ErrorCode.KEYS_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("the list of API keys cannot be read; try again later")


class InvalidRequestError(ApiError):
    """The request is not one that can be understood."""

    code = ErrorCode.INVALID_REQUEST

    def __init__(self, errors: Sequence[FieldError]) -> None:
        told = "; ".join(f"{error.pointer}: {error.detail}" for error in errors[:3])
        super().__init__(told or "the request is not valid", errors=errors)


class InvalidCursorError(ApiError):
    """The cursor is none that this service gave out."""

    code = ErrorCode.INVALID_CURSOR

    def __init__(self) -> None:
        detail = "unknown cursor: start again without one, or use next_cursor as it was sent"
        super().__init__(detail, errors=[FieldError(pointer="?cursor", detail=detail)])


class ModelUnknownError(ApiError):
    """The request names a model that is not served, or none where it has to."""

    code = ErrorCode.MODEL_UNKNOWN

    def __init__(self, name: str | None, *, known: Sequence[str]) -> None:
        if name is None:
            detail = f"several models are served; set `model` to one of: {', '.join(known)}"
        else:
            detail = f"model {name!r} is not served; known: {', '.join(known)}"
        super().__init__(
            detail,
            errors=[FieldError(pointer="#/model", detail=detail)],
            members={"models": list(known)},
        )


class NoWorkerError(ApiError):
    """Nobody is there to make the edit."""

    code = ErrorCode.NO_WORKER

    def __init__(self, model: str | None) -> None:
        whose = "no model is served yet" if model is None else f"no worker serves {model!r} now"
        super().__init__(f"{whose}; try again later", headers={"Retry-After": "5"})


class NoRoomError(ApiError):
    """The store is full: what was made could not be kept."""

    code = ErrorCode.STORE_FULL

    def __init__(self) -> None:
        super().__init__("the checkpoint store is full; try again later")


class MemoryInfeasibleError(ApiError):
    """The edit, or several together, do not fit the largest budget of the model's workers."""

    code = ErrorCode.MEMORY_INFEASIBLE

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        detail = "; ".join(admission.reasons) or "the edit does not fit the memory"
        super().__init__(detail, members={"admission": admission.model_dump(mode="json")})


class PromptTooLongError(ApiError):
    """A prompt with what the model says to it has more tokens than the model has positions."""

    code = ErrorCode.PROMPT_TOO_LONG

    def __init__(self, pointer: str, *, tokens: int, most: int) -> None:
        detail = f"prompt and answer take up to {tokens} tokens; the model has room for {most}"
        super().__init__(detail, errors=[FieldError(pointer=pointer, detail=detail)])


class EditNotFoundError(ApiError):
    """There is no edit of that id."""

    code = ErrorCode.EDIT_NOT_FOUND

    def __init__(self, edit_id: str) -> None:
        super().__init__(f"there is no edit {edit_id!r}")


class EditGoneError(ApiError):
    """The edit ended so long ago that it is not kept any more."""

    code = ErrorCode.EDIT_GONE

    def __init__(self, edit_id: str) -> None:
        super().__init__(f"{edit_id} ended long ago and is not kept any more")


class EditFinalError(ApiError):
    """The edit has ended already: there is nothing to cancel."""

    code = ErrorCode.EDIT_FINAL

    def __init__(self, edit_id: str, *, status: EditStatus) -> None:
        super().__init__(f"{edit_id} has already ended: {status}", members={"edit_status": status})


class EditNotFailedError(ApiError):
    """Only what failed or was canceled can be tried again."""

    code = ErrorCode.EDIT_NOT_FAILED

    def __init__(self, edit_id: str, *, status: EditStatus) -> None:
        super().__init__(
            f"only a failed or canceled edit can be retried: {edit_id} is in state {status}",
            members={"edit_status": status},
        )


class RangeNotSatisfiableError(ApiError):
    """The range names no byte of the file."""

    code = ErrorCode.RANGE_NOT_SATISFIABLE

    def __init__(self, *, size_bytes: int) -> None:
        super().__init__(
            f"the range lies outside the file's {size_bytes} bytes",
            errors=[FieldError(pointer="Range", detail="is not one range of bytes in the file")],
            headers={"Content-Range": f"bytes */{size_bytes}"},
        )
