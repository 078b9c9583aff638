"""One way to open a connection to Redis."""

from typing import Any

from redis import ConnectionPool, Redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.connection import AbstractConnection
from redis.exceptions import BusyLoadingError, ConnectionError, TimeoutError
from redis.retry import Retry

BROKEN = (ConnectionError, BusyLoadingError)
LOOKS = Retry(NoBackoff(), retries=3, supported_errors=(ConnectionError,))


class RedisUrlError(Exception):
    """The URL asks for what no connection can be made with."""


class LendingPool(ConnectionPool):  # type: ignore[misc]  # redis is not followed by mypy
    """Connections, of which one that is closed while it is lent is no failure.

    redis-py tries a handshake and a command again, but not the look that it takes at a connection
    in between; a server that closes it just then would be an error of the command.
    """

    def get_connection(self, *args: Any, **options: Any) -> AbstractConnection:
        lend = super().get_connection
        return LOOKS.call_with_retry(lambda: lend(*args, **options), _pass, is_retryable=_is_open)


def connect(url: str, *, retries: int, timeout_s: float, retry_on_timeout: bool = True) -> "Redis":
    """A client that retries each command up to `retries` times, at most 1 s apart; one that is not
    answered within `timeout_s` only if `retry_on_timeout`.

    Raises `RedisUrlError`. The worker outlives a restart of Redis with many retries; the API
    answers 503 after few.
    """
    tried = (*BROKEN, TimeoutError) if retry_on_timeout else BROKEN
    try:
        pool = LendingPool.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            health_check_interval=15,
            retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), retries, tried),
            retry_on_error=list(tried),
        )
    except ValueError as error:
        raise RedisUrlError(f"REDIS_URL: {error}") from error
    return Redis.from_pool(pool)


def _pass(error: Exception) -> None:
    """The pool has the connection back already."""


def _is_open(error: Exception) -> bool:
    """Whether the server was there: one that cannot be reached was tried often enough."""
    return not isinstance(error.__context__, OSError)
