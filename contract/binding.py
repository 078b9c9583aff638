"""Where the API may listen."""

from ipaddress import ip_address

from contract.settings import Settings


class OpenToAllError(Exception):
    """The API would listen beyond this machine, and nobody said it may."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(
            f"{host!r} is not a loopback address, and there are no keys: listen on 127.0.0.1, "
            "make keys with `palimpsest key`, or set PALIMPSEST_ALLOW_ANONYMOUS=1 to let anyone "
            "who reaches the port in"
        )


def check_binding(settings: Settings, *, has_keys: bool) -> None:
    """Raises `OpenToAllError` unless keys are asked for, only this machine is let in, or all were
    allowed."""
    if not has_keys and not settings.allow_anonymous and not is_loopback(settings.host):
        raise OpenToAllError(settings.host)


def is_loopback(host: str) -> bool:
    """Whether the host is this machine to itself; a name other than localhost is not trusted."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
