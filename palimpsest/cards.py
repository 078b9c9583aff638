"""A card's memory as people write it, and what an edit may take of it."""

import argparse
import re

from contract.admission.cards import SAFE_SHARE

_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]i?b)?", re.IGNORECASE)


def size_of(text: str) -> int:
    """Bytes of `24GiB`, `16 GB` or `8000000000`."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 24GiB or 16GB")
    return int(float(found[1]) * _UNITS[(found[2] or "").lower()])


def budget_of(card_bytes: int, *, weights_bytes: int) -> int:
    """What one edit may take beside the weights."""
    return max(0, int(SAFE_SHARE * (card_bytes - weights_bytes)))
