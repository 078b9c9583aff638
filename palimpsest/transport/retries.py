"""Whether and when a call is tried again."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

RETRIED_STATUSES = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """At most `most` further tries, `base_s` after the first and twice as long after each next.

    None is begun once no answer came for `longest_s`: long enough to outlive a restart of the
    service, short enough for who waits for one that hangs.
    """

    most: int = 8
    base_s: float = 0.2
    cap_s: float = 5.0
    longest_retry_after_s: float = 60.0
    longest_s: float = 10.0

    def pause_s(
        self, failures: int, *, retry_after_s: float | None = None, jitter: float = 1.0
    ) -> float | None:
        """How long to wait after so many failures, or None to give up.

        What the service asks for is a lower bound; `jitter` in [0, 1] spreads clients over the
        upper half of the pause.
        """
        if failures > self.most:
            return None
        growing = min(self.base_s * 2.0 ** (failures - 1), self.cap_s) * (0.5 + 0.5 * jitter)
        return max(growing, min(retry_after_s or 0.0, self.longest_retry_after_s))


NEVER = Retries(most=0)
BRIEF = Retries(most=3)


def retry_after_s(header: str | None, *, now: datetime) -> float | None:
    """The seconds that a `Retry-After` header asks for, as a number or as a date."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        then = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None  # not a date either: the service asked for nothing we understand
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max((then - now).total_seconds(), 0.0)
