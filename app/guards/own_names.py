"""Names by which this machine is called from itself."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import ApiError, FieldError, InvalidRequestError
from contract.binding import is_loopback


class OwnNames:
    """ASGI middleware for a service without keys: answers to the names of the loopback alone.

    A browser on this machine may be told that a stranger's name leads here (DNS rebinding), and
    would then let the stranger's page read and ask whatever its user may.
    """

    def __init__(
        self, app: ASGIApp, *, refuse: Callable[[Request, ApiError], Awaitable[Response]]
    ) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_own(Headers(scope=scope).get("host")):
            response = await self._refuse(Request(scope), _refusal())
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_own(host: str | None) -> bool:
    """Whether it names this machine; None, which no browser sends, is no stranger's name."""
    if host is None:
        return True
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def _refusal() -> ApiError:
    detail = (
        "is not localhost: a service without keys is called by that name, or by a loopback "
        "address, unless PALIMPSEST_ALLOW_ANONYMOUS=1"
    )
    return InvalidRequestError([FieldError(pointer="Host", detail=detail)])
