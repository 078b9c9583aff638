"""Health checks of this process: its weights are the base's, and its device responds."""

import faulthandler
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class UnfitError(Exception):
    """Nothing that this process would make can be trusted: another has to take its place.

    UnfitError
    ├── TaintedWeightsError
    └── DeviceFaultError
    """


class TaintedWeightsError(UnfitError):
    """The resident weights are no longer those that were loaded."""

    def __init__(self) -> None:
        super().__init__("the resident weights no longer match the base model")


class DeviceFaultError(UnfitError):
    """The device failed in a way that a process does not recover from."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The digest of the weights as they were loaded, and the way to take it again."""

    fingerprint: Callable[[], str]
    pristine: str

    @classmethod
    def of(cls, fingerprint: Callable[[], str]) -> "Weights":
        return cls(fingerprint, fingerprint())

    def check(self) -> None:
        """Raises `TaintedWeightsError`."""
        if self.fingerprint() != self.pristine:
            raise TaintedWeightsError


@contextmanager
def last_resort(limit_s: float) -> Iterator[None]:
    """End the process when the block takes longer than `limit_s`, whatever it is doing.

    The timer is a thread of C: it needs no interpreter lock, which a hung call may hold, and which
    the heartbeat's watch cannot do without.
    """
    faulthandler.dump_traceback_later(limit_s, exit=True, file=sys.stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
