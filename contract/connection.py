"""One way to open a connection to Redis."""

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, TimeoutError
from redis.retry import Retry

RETRIED = (ConnectionError, TimeoutError, BusyLoadingError)


def connect(url: str, *, retries: int, timeout_s: float) -> "Redis":
    """A client that tries each command up to `retries` more times, at most 1 s apart.

    The worker outlives a restart of Redis with many retries; the API answers 503 after few.
    """
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        health_check_interval=15,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), retries),
        retry_on_error=list(RETRIED),
    )
