"""Problem documents: how a failure looks on the wire (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.errors import STATUS, FieldError
from app.guards.tracing import request_id, standard_headers
from contract.wire.failures import RETRYABLE, ErrorCode

MEDIA_TYPE = "application/problem+json"
MAX_FIELD_ERRORS = 50


class Problem(BaseModel):
    """Why a request failed. `code` is stable, `detail` is for people."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A URN made of the code.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path of the request.")
    code: ErrorCode
    request_id: str
    errors: tuple[FieldError, ...] | None = None


def problem_response(
    request: Request,
    code: ErrorCode,
    detail: str,
    *,
    status: HTTPStatus | None = None,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """A problem document; `status` overrides what the code is answered with as a rule."""
    answered = (status or STATUS[code]).value
    problem = Problem(
        type=f"urn:palimpsest:problem:{code.value}",
        title=code.value.replace("_", " ").capitalize(),
        status=answered,
        detail=detail,
        instance=quote(request.scope["path"], errors="replace"),
        code=code,
        request_id=request_id(),
        errors=tuple(errors[:MAX_FIELD_ERRORS]) or None,
    )
    return Response(
        # ASCII escapes carry any text, a lone surrogate too, where UTF-8 would not.
        content=json.dumps(problem.model_dump(exclude_none=True) | dict(members or {})),
        status_code=answered,
        headers=_retry_after(code) | dict(headers or {}) | standard_headers(),
        media_type=MEDIA_TYPE,
    )


def _retry_after(code: ErrorCode) -> dict[str, str]:
    passing = code in RETRYABLE and STATUS[code] is not HTTPStatus.INTERNAL_SERVER_ERROR
    return {"Retry-After": "2"} if passing else {}
