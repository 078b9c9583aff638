"""Connections to Redis that break."""

import socket
from collections.abc import Iterator

import pytest
from redis import Redis
from redis.connection import UnixDomainSocketConnection
from redis.exceptions import ConnectionError, TimeoutError

from contract.ledger.connection import LendingPool, connect


class Brittle(UnixDomainSocketConnection):  # type: ignore[misc]  # redis is not followed by mypy
    """Is closed by the server the first few times that the pool looks at it."""

    n_closed = 0

    def can_read(self, timeout: float = 0) -> bool:
        if self.n_closed:
            self.n_closed -= 1
            raise ConnectionError("Connection closed by server.")
        return bool(super().can_read(timeout))


def pool_of(redis_url: str, *, n_closed: int) -> LendingPool:
    kind = type("Closing", (Brittle,), {"n_closed": n_closed})
    return LendingPool.from_url(redis_url, connection_class=kind)


def test_a_connection_that_is_closed_while_it_is_lent_is_opened_again(redis_url: str) -> None:
    redis = Redis.from_pool(pool_of(redis_url, n_closed=4))

    assert redis.ping()
    assert len(redis.connection_pool._in_use_connections) == 0


def test_one_that_is_always_closed_is_given_up(redis_url: str) -> None:
    redis = Redis.from_pool(pool_of(redis_url, n_closed=1000))

    with pytest.raises(ConnectionError, match="closed by server"):
        redis.ping()


def test_a_redis_that_cannot_be_reached_is_tried_as_often_as_was_asked() -> None:
    redis = connect("redis://127.0.0.1:1/0", retries=1, timeout_s=1.0)

    with pytest.raises(ConnectionError, match="Connection refused"):
        redis.ping()


@pytest.fixture
def hung() -> Iterator[socket.socket]:
    """Takes connections and never answers, as a Redis that was stopped does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def n_connection(hung: socket.socket) -> int:
    """How often somebody came."""
    hung.setblocking(False)
    count = 0
    while True:
        try:
            hung.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


@pytest.mark.parametrize("retry_on_timeout", [True, False])
def test_a_redis_that_hangs_is_asked_again_by_those_who_have_the_time(
    hung: socket.socket, retry_on_timeout: bool
) -> None:
    url = f"redis://127.0.0.1:{hung.getsockname()[1]}/0"
    redis = connect(url, retries=1, timeout_s=0.1, retry_on_timeout=retry_on_timeout)

    with pytest.raises(TimeoutError):
        redis.ping()

    assert (n_connection(hung) > 1) is retry_on_timeout
