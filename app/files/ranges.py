"""Byte ranges (RFC 9110, 14): one range is served, several are answered with the whole file."""

import re
from typing import NamedTuple

from app.errors import RangeNotSatisfiableError

# Some ask for all up to 2^63 - 1, or further; `int` reads 4300 digits at most.
_ONE_RANGE = re.compile(r"([0-9]{0,4000})-([0-9]{0,4000})")


class Span(NamedTuple):
    """Bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int

    @property
    def size_bytes(self) -> int:
        return self.stop - self.start

    def content_range(self, *, of_bytes: int) -> str:
        return f"bytes {self.start}-{self.stop - 1}/{of_bytes}"


def span_of(header: str | None, *, size_bytes: int) -> Span | None:
    """The bytes asked for; None for the whole file.

    Units other than bytes, and lists of ranges, are passed over, as the standard allows; raises
    `RangeNotSatisfiableError` when no byte of the file is meant.
    """
    unit, _, spec = (header or "").partition("=")
    if unit.strip().lower() != "bytes" or "," in spec:
        return None
    parts = _ONE_RANGE.fullmatch(spec.strip())
    if parts is None or spec.strip() == "-":
        raise RangeNotSatisfiableError(size_bytes=size_bytes)
    first, last = parts.groups()
    if first:
        start, stop = int(first), min(int(last) + 1, size_bytes) if last else size_bytes
    else:
        start, stop = max(size_bytes - int(last), 0), size_bytes
    if start >= stop:
        raise RangeNotSatisfiableError(size_bytes=size_bytes)
    return Span(start, stop)
