"""No path ends in a line break."""

from fastapi import HTTPException
from starlette.types import Scope


def line_break(scope: Scope) -> HTTPException | None:
    """There is nothing at a path that ends in one: the framework's patterns end in `$`, which would
    overlook it."""
    if scope["path"].endswith("\n"):
        return HTTPException(404, "the path ends in a line break")
    return None
