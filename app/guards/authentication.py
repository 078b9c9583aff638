"""Who asks: the owner of the bearer key that a request carries."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import Protocol

from fastapi import Request, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import ApiError, KeysUnavailableError, UnauthorizedError
from contract.keys import KeysError
from contract.logs import EventLog

log = EventLog("app.authentication")

OPEN_PATHS = frozenset({"/", "/docs", "/livez", "/readyz", "/openapi.json"})
"""What load balancers and curious readers may see without a key; the page asks for one itself."""
OPEN_FOLDER = "/page/"

_caller: ContextVar[str] = ContextVar("caller", default="")
_owner: ContextVar[Callable[[], str | ApiError]] = ContextVar("owner", default=lambda: "")


def caller() -> str:
    """The name of the key that the request at hand came with; empty where none is asked for."""
    return _caller.get()


def check_key() -> None:
    """Raises what the request at hand would be refused with if it came now: those who wait are let
    go once their key is taken away."""
    found = _owner.get()()
    if isinstance(found, ApiError):
        raise found


def is_open(path: str) -> bool:
    """Whether the path is shown to anyone: none of them tells of an edit."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


class KeyOwners(Protocol):
    """Knows whose a key is."""

    @property
    def is_empty(self) -> bool: ...
    def owner_of(self, key: str) -> str | None: ...
    def check(self) -> None: ...


class Authentication:
    """ASGI middleware: lets nobody past without a key, whatever the route, before a body is read.

    A route that is added later is guarded without having to say so.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        owners: KeyOwners,
        refuse: Callable[[Request, ApiError], Awaitable[Response]],
    ) -> None:
        self._app = app
        self._owners = owners
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._owners.is_empty:
            found = self._owner_of(scope)
            if isinstance(found, ApiError) and not is_open(scope["path"]):
                response = await self._refuse(Request(scope), found)
                await response(scope, receive, send)
                return
            _caller.set("" if isinstance(found, ApiError) else found)
            _owner.set(partial(self._owner_of, scope))
        await self._app(scope, receive, send)

    def _owner_of(self, scope: Scope) -> str | ApiError:
        """Whose key it is, or why nobody is let in by it."""
        scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return UnauthorizedError()
        try:
            return self._owners.owner_of(key.strip()) or UnauthorizedError()
        except KeysError as error:
            log.warning("keys_unavailable", reason=str(error))
            return KeysUnavailableError()
