"""A worker that has loaded its libraries, and waits until it is needed."""

from collections.abc import Sequence
from typing import TextIO

SPARE = "--spare"


def wait_until_needed(argv: Sequence[str], orders: TextIO) -> bool:
    """True at once for a worker that is no spare one; for a spare, true once a line comes, and
    false when its supervisor is gone."""
    return SPARE not in argv or bool(orders.readline())
