"""One id for each request: taken from the caller or made, sent back, and put in every log line."""

import re
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.guards.traffic import Traffic
from contract.logs import EventLog

log = EventLog("app.request")

_SANE = re.compile(r"[A-Za-z0-9._-]{1,128}")
_request_id: ContextVar[str] = ContextVar("request_id", default="")


def request_id() -> str:
    """The id of the request at hand; empty outside of one."""
    return _request_id.get()


def traced() -> dict[str, str]:
    """What every log line tells of the request at hand."""
    return {"request_id": request_id()} if request_id() else {}


def standard_headers() -> dict[str, str]:
    """What every response carries, unless its route says otherwise."""
    return {
        "X-Request-ID": request_id(),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
    }


class Tracing:
    """ASGI middleware: names each request, and logs and counts it when it is over."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        traffic: Traffic | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._traffic = traffic or Traffic()
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Never reset: each request has a task, thus a context, of its own, and the handler of
        # unexpected errors stands outside of this middleware.
        _request_id.set(_accepted(Headers(scope=scope).get("x-request-id")))
        started_s = self._clock()
        status = 500  # what is answered when the application raises

        async def send_traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in standard_headers().items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_traced)
        finally:
            duration_s = self._clock() - started_s
            self._traffic.note(scope["method"], status, duration_s=duration_s)
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_s=round(duration_s, 4),
            )


def _accepted(offered: str | None) -> str:
    return offered if offered and _SANE.fullmatch(offered) else uuid.uuid4().hex
