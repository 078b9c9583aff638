"""A limit on request bodies, declared or chunked."""

from collections.abc import Awaitable, Callable

from fastapi import HTTPException, Request, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contract.wire.failures import ErrorCode

Refuse = Callable[[Request, HTTPException], Awaitable[Response]]


class PayloadTooLargeError(HTTPException):
    """The body is larger than allowed.

    An `HTTPException`, since FastAPI turns any other that reading a body raises into a 400.
    """

    code = ErrorCode.PAYLOAD_TOO_LARGE

    def __init__(self, limit_bytes: int) -> None:
        # The rest of the body stays unread, so the connection cannot be used again.
        super().__init__(
            413, f"the body is larger than {limit_bytes} bytes", headers={"Connection": "close"}
        )


class BodyLimit:
    """ASGI middleware: refuses a body that declares too much before reading it, and one that
    turns out too large as soon as it does."""

    def __init__(self, app: ASGIApp, *, limit_bytes: int, refuse: Refuse) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._declares_too_much(scope):
            error = PayloadTooLargeError(self._limit_bytes)
            response = await self._refuse(Request(scope), error)
            await response(scope, receive, send)
        else:
            await self._app(scope, self._counted(receive), send)

    def _declares_too_much(self, scope: Scope) -> bool:
        declared = Headers(scope=scope).get("content-length", "")
        return declared.isdecimal() and (
            len(declared) > 18 or int(declared) > self._limit_bytes  # no number a body can reach
        )

    def _counted(self, receive: Receive) -> Receive:
        received_bytes = 0

        async def receive_counted() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > self._limit_bytes:
                raise PayloadTooLargeError(self._limit_bytes)
            return message

        return receive_counted
