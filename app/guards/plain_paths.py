"""No path ends in a line break."""

from collections.abc import Awaitable, Callable

from fastapi import HTTPException, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send


class PlainPaths:
    """ASGI middleware: there is nothing at a path that ends in a line break.

    The framework's patterns end in `$`, which would overlook it.
    """

    def __init__(
        self, app: ASGIApp, *, refuse: Callable[[Request, HTTPException], Awaitable[Response]]
    ) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("\n"):
            error = HTTPException(404, "the path ends in a line break")
            response = await self._refuse(Request(scope), error)
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)
