"""Names by which this machine is called from itself.

A browser on this machine may be told that a stranger's name leads here (DNS rebinding), and would
then let the stranger's page read and ask whatever its user may. So a service without keys answers
to the names of the loopback alone.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from app.errors import ApiError, FieldError, InvalidRequestError
from contract.binding import is_loopback


def foreign_name(scope: Scope) -> ApiError | None:
    """The refusal of a request whose `Host` is not this machine's."""
    if _is_own(Headers(scope=scope).get("host")):
        return None
    detail = (
        "is not localhost: a service without keys is called by that name, or by a loopback "
        "address, unless PALIMPSEST_ALLOW_ANONYMOUS=1"
    )
    return InvalidRequestError([FieldError(pointer="Host", detail=detail)])


def _is_own(host: str | None) -> bool:
    """Whether it names this machine; None, which no browser sends, is no stranger's name."""
    if host is None:
        return True
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
