"""Where the API listens."""

import socket

import pytest

from palimpsest.local.addresses import PortTakenError, free_port, url_of


def test_a_port_in_use_is_reported() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(PortTakenError, match=f"port {port}: Address already in use"):
            free_port("127.0.0.1", port)


def test_port_0_stands_for_one_that_is_free() -> None:
    port = free_port("127.0.0.1", 0)

    assert free_port("127.0.0.1", port) == port


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("box.example", "http://box.example:80"),
    ],
)
def test_the_url_reaches_the_api_from_this_machine(host: str, url: str) -> None:
    assert url_of(host, 80) == url
