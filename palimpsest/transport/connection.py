"""What a connection to the service is opened with."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def check_url(url: str) -> None:
    """Raises `ValueError` for what cannot be the URL of a service."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is not a URL of a service: it begins with http:// or https://")
    try:
        httpx.URL(url).host.encode("idna")  # as its address is asked for
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError(f"{url!r} is not a URL: {error}") from error


def headers_of(api_key: str | None) -> dict[str, str]:
    """Raises `ValueError` for what can be no key, without repeating it."""
    if not api_key:
        return {}
    if not (api_key.isascii() and api_key.isprintable()):
        raise ValueError("the API key contains characters that no key has, such as a line break")
    return {"Authorization": f"Bearer {api_key}"}


@contextmanager
def usable_environment() -> Iterator[None]:
    """Proxies and certificates of the environment that cannot be used are a `ValueError`."""
    try:
        yield
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
        raise ValueError(
            "the proxies (ALL_PROXY, NO_PROXY …) or certificates (SSL_CERT_FILE …) of the "
            f"environment cannot be used: {error}"
        ) from error


def is_loopback(url: str) -> bool:
    """Whether it is this machine, which no proxy of the environment can reach."""
    return httpx.URL(url).host in LOOPBACK
