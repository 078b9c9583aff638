"""Refuses requests by what their head says."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send


class Gate:
    """ASGI middleware: a request for which `refusal` finds an error is answered by `refuse`, the
    handler of such errors, and its body is not read."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        refusal: Callable[[Scope], Exception | None],
        refuse: Callable[[Request, Any], Awaitable[Response]],
    ) -> None:
        self._app = app
        self._refusal = refusal
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            response = await self._refuse(Request(scope), refusal)
            await response(scope, receive, send)
