"""Paths as they may be: text, and no control characters."""

import re
from collections.abc import Awaitable, Callable

from fastapi import HTTPException, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class PlainPaths:
    """ASGI middleware: there is nothing at a path with a control character in it.

    The framework's own patterns would overlook a line break at a path's end.
    """

    def __init__(
        self, app: ASGIApp, *, refuse: Callable[[Request, HTTPException], Awaitable[Response]]
    ) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _CONTROL.search(scope["path"]):
            error = HTTPException(404, "the path holds a control character")
            response = await self._refuse(Request(scope), error)
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)
