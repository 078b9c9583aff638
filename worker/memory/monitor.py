"""How tight the memory is, whoever takes it, and what the edit in work may still take."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from contract.admission.calibration import Calibration, Probing
from contract.wire.serving import MemoryState
from worker.memory.device import DeviceMemory, MemoryReading, budget_bytes, capacity_bytes

TIGHT_BELOW = 0.5
EASY_ABOVE = 0.6
"""Shares of what an edit could take were the memory empty but for the weights. They lie apart, so
that a memory between them does not change its state with every look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the memory was like at one look."""

    reading: MemoryReading
    state: MemoryState
    since: datetime
    budget_bytes: int
    """What one edit may take, counting as free what the edit in work holds."""
    capacity_bytes: int
    """What one could take if nothing but the weights were in the memory."""
    probing: Probing
    changed: bool
    """Whether the state is another than at the look before."""


class Monitor:
    """Looks at the memory, and remembers since when it is tight."""

    def __init__(
        self,
        memory: DeviceMemory,
        *,
        weights_bytes: int,
        cap_bytes: int | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """To be made when the model is loaded and nothing is edited: what the process holds then,
        it holds at rest."""
        self._memory = memory
        self._weights_bytes = weights_bytes
        self._cap_bytes = cap_bytes
        self._clock = clock
        self._resting_bytes = memory.read().own_bytes
        self._state = MemoryState.AT_EASE
        self._since = self._now()
        self._probing = Probing()

    def calibrate(self, probing: Probing) -> None:
        """From now on, budgets are told in bytes as the formula counts them."""
        self._probing = probing

    def look(self) -> Outlook:
        """Measure now."""
        reading = self._memory.read()
        room = self._room_bytes(reading)
        capacity = self._rest_bytes(reading)
        state = state_after(self._state, room_bytes=room, capacity_bytes=capacity)
        changed = state is not self._state
        if changed:
            self._state, self._since = state, self._now()
        return Outlook(
            reading=reading,
            state=state,
            since=self._since,
            budget_bytes=room,
            capacity_bytes=capacity,
            probing=self._probing,
            changed=changed,
        )

    @property
    def card_bytes(self) -> int:
        """What there is in all."""
        return self._memory.read().total_bytes

    def release(self) -> None:
        """Let go of what nobody refers to any more."""
        self._memory.release()

    def budget_bytes(self) -> int:
        """The largest prediction with which a job fits beside what is in memory now."""
        return self._budget_of(self._memory.read())

    def rest_bytes(self) -> int:
        """The same when nothing but the weights is in memory."""
        return self._rest_bytes(self._memory.read())

    def room_bytes(self) -> int:
        """What the edit in work may take in all, as others leave it now."""
        return self._room_bytes(self._memory.read())

    def _room_bytes(self, reading: MemoryReading) -> int:
        held = max(reading.own_bytes - self._resting_bytes, 0)
        at_rest = MemoryReading(reading.free_bytes + held, reading.total_bytes)
        return self._budget_of(at_rest)

    def _rest_bytes(self, reading: MemoryReading) -> int:
        return self._predictable_bytes(
            capacity_bytes(reading, weights_bytes=self._weights_bytes, cap_bytes=self._cap_bytes)
        )

    def _budget_of(self, reading: MemoryReading) -> int:
        return self._predictable_bytes(budget_bytes(reading, cap_bytes=self._cap_bytes))

    def _predictable_bytes(self, n_bytes: int) -> int:
        """The largest prediction with which an edit is still sure to fit in `n_bytes`."""
        return (self._probing.calibration or Calibration()).predictable_bytes(n_bytes)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def state_after(before: MemoryState, *, room_bytes: int, capacity_bytes: int) -> MemoryState:
    """Tight below one share, at ease above another, and between them as it was."""
    share = room_bytes / max(capacity_bytes, 1)
    if share < TIGHT_BELOW:
        return MemoryState.TIGHT
    return MemoryState.AT_EASE if share > EASY_ABOVE else before
