"""Where the API listens."""

import socket
from urllib.parse import urlunsplit

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class PortTakenError(Exception):
    """The API cannot listen there."""

    def __init__(self, host: str, *, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host} port {port}: {reason}")


def free_port(host: str, port: int) -> int:
    """The port, or for 0 one that is free; raises `PortTakenError`.

    Nothing keeps it until the API takes it: good enough to tell a person early.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            found: int = probe.getsockname()[1]
            return found
    except OSError as error:
        raise PortTakenError(host, port=port, reason=error.strerror or str(error)) from error


def url_of(host: str, port: int) -> str:
    """The URL by which this machine reaches it."""
    reachable = _ANY.get(host, host)
    name = f"[{reachable}]" if ":" in reachable else reachable
    return urlunsplit(("http", f"{name}:{port}", "", "", ""))
