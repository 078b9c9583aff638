"""What this process has answered since it started."""

from collections import Counter

from app.exposition import Labels, labels

METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})
"""Others are told as one: a caller could make up any number of them."""


class Traffic:
    """Counts requests and their time, by method and status; of one event loop."""

    def __init__(self) -> None:
        self._requests: Counter[Labels] = Counter()
        self._seconds: dict[Labels, float] = {}

    def note(self, method: str, status: int, *, duration_s: float) -> None:
        named = labels(method=method if method in METHODS else "other", status=str(status))
        self._requests[named] += 1
        self._seconds[named] = self._seconds.get(named, 0.0) + duration_s

    @property
    def requests(self) -> dict[Labels, float]:
        return dict(self._requests)

    @property
    def seconds(self) -> dict[Labels, float]:
        return dict(self._seconds)
