"""The formula's error on one machine, from a few real edits when a worker starts."""

from collections.abc import Sequence
from math import ceil
from typing import Self

from pydantic import Field

from contract.wire.frozen import Frozen


class MemoryProbe(Frozen):
    """One test edit and its memory, in bytes above the resident weights."""

    method: str
    prompt_tokens: int
    layers_per_pass: int
    predicted_bytes: int
    observed_bytes: int
    ratio: float = Field(description="Observed bytes divided by predicted bytes.")

    @property
    def excess_bytes(self) -> int:
        """What it took beyond the prediction."""
        return max(self.observed_bytes - self.predicted_bytes, 0)


class Calibration(Frozen):
    """An edit takes at most `factor` × what is predicted, and `offset_bytes`.

    The formula is an upper bound by construction, so a probe that took less than predicted counts
    as exact: `factor` ≥ 1. A small probe shows what is taken once, such as a library's workspace,
    and a large one what grows with the work: the factor is the slope between the smallest and the
    largest, and the offset covers whatever is above that line.
    """

    factor: float = Field(default=1.0, ge=1.0)
    offset_bytes: int = Field(default=0, ge=0)

    @classmethod
    def of(cls, probes: Sequence[MemoryProbe]) -> Self:
        """The line that is above all probes, of which there must be one."""
        least = min(probes, key=lambda probe: probe.predicted_bytes)
        most = max(probes, key=lambda probe: probe.predicted_bytes)
        between = most.predicted_bytes - least.predicted_bytes
        slope = 1 + (most.excess_bytes - least.excess_bytes) / between if between else 1.0
        factor = max(slope, 1.0)
        above = (probe.observed_bytes - factor * probe.predicted_bytes for probe in probes)
        return cls(factor=factor, offset_bytes=max(ceil(max(above)), 0))

    def predictable_bytes(self, n_bytes: int) -> int:
        """The largest prediction with which an edit is still sure to fit in `n_bytes`."""
        return max(int((n_bytes - self.offset_bytes) / self.factor), 0)


class Probing(Frozen):
    """The result of a worker's probes; without a calibration the formula is used as it is."""

    probes: tuple[MemoryProbe, ...] = ()
    calibration: Calibration | None = None
    error: str | None = None
