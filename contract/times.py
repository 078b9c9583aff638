"""Times as they are written."""

from datetime import UTC, datetime


def rfc3339(at_s: float) -> str:
    """A time in UTC to the millisecond."""
    return (
        datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
