"""What is answered when something is raised: always a problem document."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from app.errors import ApiError, InvalidRequestError
from app.pointers import field_errors
from app.problems import problem_response
from contract.ledger.errors import (
    IdempotencyMismatchError,
    QueueFullError,
    RemovalOverdueError,
    SchemaMismatchError,
    UnknownRequestError,
    UnreadableRecordError,
)
from contract.logs import EventLog
from contract.store.errors import (
    NewerManifestError,
    StoreUnavailableError,
    UnreadableManifestError,
)
from contract.wire.failures import ErrorCode

log = EventLog("app.failure")

_HTTP_CODES = {
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.PAYLOAD_TOO_LARGE,
}


def register(app: FastAPI) -> None:
    """Answer every kind of failure; Starlette picks the nearest class."""
    handlers: dict[Any, Any] = {
        ApiError: refused,
        RequestValidationError: invalid,
        HTTPException: raised_by_framework,
        IdempotencyMismatchError: idempotency_mismatch,
        QueueFullError: queue_full,
        SchemaMismatchError: schema_mismatch,
        RemovalOverdueError: ledger_unavailable,
        RedisError: ledger_unavailable,
        UnreadableManifestError: store_corrupt,
        NewerManifestError: newer_manifest,
        UnknownRequestError: unknown_request,
        UnreadableRecordError: unreadable_record,
        StoreUnavailableError: store_unavailable,
        Exception: unexpected,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


async def refused(request: Request, error: ApiError) -> Response:
    return problem_response(
        request,
        error.code,
        error.detail,
        errors=error.errors,
        headers=error.headers,
        members=error.members,
    )


async def invalid(request: Request, error: RequestValidationError) -> Response:
    return await refused(request, InvalidRequestError(field_errors(error.errors())))


async def raised_by_framework(request: Request, error: HTTPException) -> Response:
    code = _HTTP_CODES.get(error.status_code, ErrorCode.INVALID_REQUEST)
    headers = dict(error.headers or {})
    if code is ErrorCode.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request) or headers.get("Allow", "")
    return problem_response(request, code, str(error.detail), headers=headers)


def _allowed(request: Request) -> str:
    """The methods of the path; the framework names those of its first route alone."""
    path = getattr(request.scope.get("route"), "path_format", None)
    methods = request.app.openapi()["paths"].get(path, {})
    return ", ".join(sorted(method.upper() for method in methods))


async def idempotency_mismatch(request: Request, error: IdempotencyMismatchError) -> Response:
    return problem_response(request, ErrorCode.IDEMPOTENCY_MISMATCH, str(error))


async def queue_full(request: Request, error: QueueFullError) -> Response:
    return problem_response(
        request, ErrorCode.QUEUE_FULL, str(error), headers={"Retry-After": "10"}
    )


async def ledger_unavailable(request: Request, error: Exception) -> Response:
    log.warning("ledger_unavailable", error=type(error).__name__, message=str(error))
    detail = "the ledger in Redis did not answer; try again later"
    return problem_response(request, ErrorCode.LEDGER_UNAVAILABLE, detail)


async def schema_mismatch(request: Request, error: SchemaMismatchError) -> Response:
    log.error("schema_mismatch", found=error.found, message=str(error))
    return problem_response(request, ErrorCode.LEDGER_UNAVAILABLE, str(error))


async def store_corrupt(request: Request, error: UnreadableManifestError) -> Response:
    log.warning("store_corrupt", message=str(error))
    return problem_response(request, ErrorCode.STORE_CORRUPT, str(error))


async def newer_manifest(request: Request, error: NewerManifestError) -> Response:
    log.warning("newer_manifest", message=str(error))
    return problem_response(request, ErrorCode.STORE_UNAVAILABLE, str(error))


async def unknown_request(request: Request, error: UnknownRequestError) -> Response:
    return problem_response(request, ErrorCode.INVALID_REQUEST, str(error))


async def unreadable_record(request: Request, error: UnreadableRecordError) -> Response:
    log.warning("record_not_read", message=str(error), reason=error.reason)
    return problem_response(request, ErrorCode.LEDGER_UNAVAILABLE, str(error))


async def store_unavailable(request: Request, error: StoreUnavailableError) -> Response:
    cause = error.__cause__ or error
    log.warning("store_unavailable", error=type(cause).__name__, message=str(cause))
    detail = "the store cannot be read or written; try again later"
    return problem_response(request, ErrorCode.STORE_UNAVAILABLE, detail)


async def unexpected(request: Request, error: Exception) -> Response:
    log.exception("unexpected_error", error)
    detail = "internal error: look up the request id in the service's log"
    return problem_response(request, ErrorCode.INTERNAL, detail)
