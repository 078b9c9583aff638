"""95 % confidence intervals of means."""

from collections.abc import Sequence
from math import sqrt
from random import Random
from statistics import fmean
from typing import NamedTuple

Z = 1.959964
N_RESAMPLE = 2000


class Estimate(NamedTuple):
    """A mean with the ends of its interval."""

    mean: float
    low: float
    high: float

    def rounded(self) -> list[float]:
        return [round(value, 4) for value in self]


def wilson(outcomes: Sequence[bool]) -> Estimate:
    """Wilson's score interval of a rate, for independent outcomes.

    (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n).
    """
    n, p = len(outcomes), fmean(outcomes)
    middle = p + Z**2 / (2 * n)
    half = Z * sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    whole = 1 + Z**2 / n
    return Estimate(p, (middle - half) / whole, (middle + half) / whole)


def bootstrap(shares: Sequence[float], *, seed: int = 0) -> Estimate:
    """The percentile interval of a mean over edits, since the probes of one edit are correlated.

    Where nothing varies the interval is a point, which claims more than is known.
    """
    random = Random(seed)
    means = sorted(fmean(random.choices(shares, k=len(shares))) for _ in range(N_RESAMPLE))
    cut = N_RESAMPLE // 40
    return Estimate(fmean(shares), means[cut], means[-1 - cut])
