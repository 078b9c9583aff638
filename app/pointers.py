"""Where in a request an error lies, as pydantic says it and as a problem document says it."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import FieldError


def field_errors(found: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Pydantic's errors with pointers; what was sent is not repeated."""
    return [
        FieldError(pointer=pointer(error["type"], error["loc"]), detail=_detail(error))
        for error in found
    ]


def pointer(kind: str, place: Sequence[str | int]) -> str:
    """`#/hparams/steps` in the body, `?limit` in the query, else the parameter's name."""
    source, *parts = place
    if source == "body":
        if kind == "json_invalid":
            return "#"  # its place is an offset into the text
        return "#" + "".join("/" + _escaped(str(part)) for part in parts)
    name = ".".join(str(part) for part in parts)
    return f"?{name}" if source == "query" else name


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _detail(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return f"is not JSON: {error['ctx']['error']}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return str(error["msg"])
