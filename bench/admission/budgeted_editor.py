"""An editor held to a memory budget: an allocation beyond it fails, as it would on a card."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from worker.kn.editor import Editor
from worker.kn.memory.metering import StorageMeter
from worker.kn.request import EditRequest
from worker.kn.result import EditResult
from worker.memory.device import MemoryReading

PLENTY_BYTES = 2**50


class BudgetMeter(StorageMeter):
    """Follows every storage; raises `OutOfMemoryError` once more than the budget is alive."""

    def __init__(self, budget_bytes: int) -> None:
        super().__init__()
        self._budget_bytes = budget_bytes

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = super().__torch_dispatch__(func, types, args, kwargs)
        if self.live_bytes > self._budget_bytes:
            raise torch.OutOfMemoryError(
                f"{self.live_bytes} bytes are alive, the budget is {self._budget_bytes}"
            )
        return made


class BudgetedEditor(Editor):
    """Edits within `allowed_bytes`; counts how often that was too little."""

    allowed_bytes: int = PLENTY_BYTES
    out_of_memory: int = 0

    def edit(self, request: EditRequest, **given: Any) -> EditResult:
        with self._counting(), BudgetMeter(self.allowed_bytes):
            return super().edit(request, **given)

    @contextmanager
    def _counting(self) -> Iterator[None]:
        try:
            yield
        except torch.OutOfMemoryError:
            self.out_of_memory += 1
            raise

    def peak_bytes(self, request: EditRequest, *, layers_per_pass: int) -> int:
        """The peak of the edit without a budget, however it ends."""
        meter = StorageMeter()
        with meter:
            try:
                super().edit(request, layers_per_pass=layers_per_pass)
            except Exception:  # noqa: BLE001  # only what it took until then counts
                return meter.peak_bytes
        return meter.peak_bytes


class PlentifulMemory:
    """A machine with ample memory: only the cap counts."""

    def read(self) -> MemoryReading:
        return MemoryReading(PLENTY_BYTES, PLENTY_BYTES)

    def release(self) -> None:
        """There is nothing to release."""
