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
    ],
)
def test_what_is_no_url_of_a_service_is_refused_at_once(client: Any, url: str, told: str) -> None:
    with pytest.raises(ValueError) as refused:
        client(url)

    assert str(refused.value).startswith(told)
