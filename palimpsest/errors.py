"""What may go wrong between a program and the service.

PalimpsestError
├── UnreachableError
├── UnexpectedAnswerError
├── ServiceError                (a class for each code: palimpsest.problems)
│   ├── UnauthorizedError
│   ├── RefusedError
│   ├── NotFoundError
│   ├── ConflictError
│   ├── BusyError
│   └── UnavailableError
├── DownloadError
└── WaitTimeoutError
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class PalimpsestError(Exception):
    """Root of the client's errors."""


class UnreachableError(PalimpsestError):
    """No answer came: refused, cut off, or too late, each time it was tried."""

    def __init__(self, url: str, *, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"no answer from {url}: {reason}")


class UnexpectedAnswerError(PalimpsestError):
    """What answers there does not speak this service's language."""

    def __init__(self, url: str, *, status: int, body: str) -> None:
        self.url = url
        self.status = status
        super().__init__(f"{url} does not answer as a Palimpsest service: status {status}, {body}")


class FieldProblem(NamedTuple):
    """What is wrong with one field of a request."""

    pointer: str
    detail: str


class ServiceError(PalimpsestError):
    """The service answered with a problem: `code` is stable, `detail` is for people, `members`
    is what the problem tells beyond its kind, such as the estimate of what does not fit."""

    def __init__(
        self,
        status: int,
        *,
        code: str,
        detail: str,
        request_id: str | None = None,
        fields: tuple[FieldProblem, ...] = (),
        retry_after_s: float | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id
        self.fields = fields
        self.retry_after_s = retry_after_s
        self.members = dict(members or {})
        untold = [field for field in fields if field.detail not in detail]
        told = "; ".join(f"{field.pointer}: {field.detail}" for field in untold)
        super().__init__(f"{code}: {detail}" + (f" ({told})" if told else ""))


class UnauthorizedError(ServiceError):
    """The service asks for a key, and knows none that was sent."""


class RefusedError(ServiceError):
    """The request cannot be served as it is: malformed, too large, or infeasible."""


class NotFoundError(ServiceError):
    """There is no such edit, checkpoint, file or path."""


class ConflictError(ServiceError):
    """The request contradicts what is already there."""


class BusyError(ServiceError):
    """The queue is full; the same request may pass later."""


class UnavailableError(ServiceError):
    """The service is there, but cannot work just now."""


class DownloadError(PalimpsestError):
    """A file of a checkpoint did not arrive as its manifest says."""

    def __init__(self, path: str, *, reason: str) -> None:
        self.path = path
        super().__init__(f"{path!r} {reason}")


class WaitTimeoutError(PalimpsestError):
    """The edit was not done in time; it goes on all the same."""

    def __init__(self, edit_id: str, *, timeout_s: float) -> None:
        self.edit_id = edit_id
        super().__init__(f"{edit_id} is not done after {timeout_s:g} s")
