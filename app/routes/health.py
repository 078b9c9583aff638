"""`/livez` and `/readyz`."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request, Response

from app.description.openapi import problems
from app.problems import problem_response
from app.readiness import ReadinessView
from app.service import ServiceDependency
from contract.wire.failures import ErrorCode
from contract.wire.frozen import Frozen

router = APIRouter(tags=["health"])

CODES = {
    "redis": ErrorCode.LEDGER_UNAVAILABLE,
    "schema": ErrorCode.LEDGER_UNAVAILABLE,
    "store": ErrorCode.STORE_UNAVAILABLE,
    "keys": ErrorCode.KEYS_UNAVAILABLE,
}
"""By the check that failed."""


class Alive(Frozen):
    """The process answers."""

    status: Literal["alive"] = "alive"


async def livez() -> Alive:
    """Answers whenever the process runs, whether or not Redis and the store work."""
    return Alive()


def readyz(http: Request, service: ServiceDependency) -> Response:
    """Checks Redis, the ledger's schema, the store and, if keys are required, their list; a missing
    worker is reported, but is no failure. Also fails while a worker whose weights changed has not
    been replaced."""
    checks = service.readiness.checks()
    failed = [check.name for check in checks if check.required and not check.ok]
    if not failed:
        content = ReadinessView(checks=checks).model_dump_json()
        return Response(content=content, media_type="application/json")
    return problem_response(
        http,
        _code_of(failed),
        f"not ready: {', '.join(failed)}",
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        members={"checks": [check.model_dump() for check in checks]},
    )


for _method, _named in (("GET", ""), ("HEAD", "head_")):
    router.add_api_route(
        "/livez",
        livez,
        methods=[_method],
        operation_id=f"{_named}livez",
        summary="Is the process alive?",
        responses=problems(),
    )
    router.add_api_route(
        "/readyz",
        readyz,
        methods=[_method],
        operation_id=f"{_named}readyz",
        summary="Can edits be taken?",
        response_model=ReadinessView,
        responses=problems(
            ErrorCode.LEDGER_UNAVAILABLE, ErrorCode.STORE_UNAVAILABLE, ErrorCode.KEYS_UNAVAILABLE
        ),
    )


def _code_of(failed: Sequence[str]) -> ErrorCode:
    """That of the first check that has one, in the order in which they are made."""
    return next((CODES[name] for name in failed if name in CODES), ErrorCode.INTERNAL)
