"""The field's hyper-parameters, and what each may be."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Self

from worker.kn.collect.quadrature import Rule
from worker.kn.errors import BadRequestError

MAX_STEPS = 300
MAX_NEURONS = 100_000

KINDS: dict[str, tuple[type, ...]] = {
    "steps": (int,),
    "quadrature": (Rule, NoneType),
    "adaptive_threshold": (float, int, NoneType),
    "adaptive_threshold_max": (float, int, NoneType),
    "p": (float, int),
    "refine": (bool,),
    "max_neurons": (int, NoneType),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HParams:
    """What steers an edit beside its texts; None means the method's own default.

    The service refuses what is refused here (`contract.wire.edits.HParams`).
    """

    steps: int = 20
    quadrature: Rule | None = None
    adaptive_threshold: float | None = None
    adaptive_threshold_max: float | None = None
    p: float = 0.5
    refine: bool = True
    max_neurons: int | None = None

    def __post_init__(self) -> None:
        for name, kinds in KINDS.items():
            value = getattr(self, name)
            if type(value) not in kinds:
                raise BadRequestError(f"{name} is {value!r}, not {kinds[0].__name__}")
        low, high = self.adaptive_threshold, self.adaptive_threshold_max
        self._check("steps", 1 <= self.steps <= MAX_STEPS, f"in 1..{MAX_STEPS}")
        self._check("p", 0 <= self.p < 1, "in [0, 1)")
        self._check("adaptive_threshold", low is None or 0 < low < 1, "in (0, 1)")
        self._check("adaptive_threshold_max", high is None or 0 < high < 1, "in (0, 1)")
        if low is not None:
            self._check("adaptive_threshold", low <= (high or 1), f"at most its maximum {high}")
        most = self.max_neurons
        within = most is None or 1 <= most <= MAX_NEURONS
        self._check("max_neurons", within, f"in 1..{MAX_NEURONS}")

    def _check(self, name: str, right: bool, what: str) -> None:
        if not right:
            raise BadRequestError(f"{name} is {getattr(self, name)}, not {what}")

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> Self:
        """Read the service's JSON; raises `ValueError` or `TypeError`."""
        rule = record.get("quadrature")
        return cls(**{**record, "quadrature": None if rule is None else Rule(rule)})
