"""JSON bodies, read strictly: what the ledger could not keep as it is, is refused at the door."""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json

from app.errors import FieldError, InvalidRequestError


def parse(body: bytes) -> Any:
    """Read JSON; raises `JSONDecodeError` on NaN, infinities, lone surrogates, too deep nesting
    and numbers of thousands of digits, as on anything else that is not JSON."""
    try:
        value = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise json.JSONDecodeError(str(error), "", 0) from error
    if not _is_finite(value):
        raise json.JSONDecodeError("a number is too large for a double", "", 0)
    return value


def _is_finite(value: Any) -> bool:
    """Whether no number overflowed: 1e999 reads as infinity. The nesting is bounded by `parse`."""
    match value:
        case float():
            return math.isfinite(value)
        case dict():
            return all(map(_is_finite, value.values()))
        case list():
            return all(map(_is_finite, value))
        case _:
            return True


class JsonRequest(Request):
    """A request whose body is read by `parse`."""

    async def json(self) -> Any:
        return parse(await self.body())


class JsonRoute(APIRoute):
    """A route that takes a body of JSON and nothing else."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            if self.body_field is not None and not _says_json(request):
                error = FieldError(pointer="Content-Type", detail="is not application/json")
                raise InvalidRequestError([error])
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_json


def _says_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )
