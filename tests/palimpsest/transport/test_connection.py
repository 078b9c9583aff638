"""What a connection is opened with."""

from typing import Any

import pytest

from palimpsest.aio import AsyncClient
from palimpsest.client import Client


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("127.0.0.1:8000", "'127.0.0.1:8000' is not a URL of a service: it begins with http://"),
        ("", "'' is not a URL of a service"),
        ("http://[::1", "'http://[::1' is not a URL: "),
        ("http://a..b", "'http://a..b' is not a URL: "),
        ("http://xn--", "'http://xn--' is not a URL: "),
    ],
)
def test_what_is_no_url_of_a_service_is_refused_at_once(client: Any, url: str, told: str) -> None:
    with pytest.raises(ValueError) as refused:
        client(url)

    assert str(refused.value).startswith(told)


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize("key", ["pal_schlüssel", "pal_key\n"])
def test_what_can_be_no_key_is_refused_and_not_repeated(client: Any, key: str) -> None:
    with pytest.raises(ValueError) as refused:
        client("http://127.0.0.1:8000", api_key=key)

    assert str(refused.value).startswith("the API key contains characters that no key has")
    assert "pal_" not in str(refused.value)


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALL_PROXY", "ftp://127.0.0.1:1"),
        ("ALL_PROXY", "socks5://127.0.0.1:99999999"),
        ("NO_PROXY", "[::1"),
        ("SSL_CERT_FILE", "nowhere.pem"),
    ],
)
def test_an_environment_that_cannot_be_used_is_reported_as_such(
    client: Any, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ValueError, match=r"of the environment cannot be used: "):
        client("http://service.example")
