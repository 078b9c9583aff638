"""The HTTP server, which tells those who wait that it stops."""

import socket
from threading import Event

import uvicorn
from starlette.types import ASGIApp

GRACE_S = 10


class GracefulServer(uvicorn.Server):
    """Uvicorn, with `stopping` set before it waits for open requests."""

    def __init__(self, config: uvicorn.Config, *, stopping: Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)


def server_of(app: ASGIApp, *, host: str, port: int, stopping: Event) -> GracefulServer:
    """A server that logs through the root logger and does not say what it is."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    return GracefulServer(config, stopping=stopping)
