"""What a connection to the service is opened with."""

import httpx

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def check_url(url: str) -> None:
    """Raises `ValueError` for what cannot be the URL of a service."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is not a URL of a service: it begins with http:// or https://")
    try:
        httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is not a URL: {error}") from error


def headers_of(api_key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


def is_loopback(url: str) -> bool:
    """Whether it is this machine, which no proxy of the environment can reach."""
    return httpx.URL(url).host in LOOPBACK
