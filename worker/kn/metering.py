"""The peak of memory above where it stood, on the CPU as on a GPU."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Peak:
    """The most bytes that were alive at once within a `with metered(…)`."""

    def __init__(self) -> None:
        self.n_bytes = 0


@contextmanager
def metered(devices: set[torch.device]) -> Iterator[Peak]:
    """Measure what is allocated on top of what is there: the allocator's own count on GPUs, the
    storages that operators make on the CPU."""
    peak = Peak()
    gpus = sorted((d for d in devices if d.type == "cuda"), key=str)
    if gpus:
        starts = [torch.cuda.memory_allocated(gpu) for gpu in gpus]
        for gpu in gpus:
            torch.cuda.reset_peak_memory_stats(gpu)
        try:
            yield peak
        finally:
            tops = [torch.cuda.max_memory_allocated(gpu) for gpu in gpus]
            peak.n_bytes = sum(top - start for top, start in zip(tops, starts, strict=True))
        return
    meter = StorageMeter()
    try:
        with meter:
            yield peak
    finally:
        peak.n_bytes = meter.peak_bytes


class StorageMeter(TorchDispatchMode):
    """Follows every storage that an operator makes, until it is freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live_bytes = 0
        self.peak_bytes = 0
        self._alive: dict[int, weakref.ref[torch.UntypedStorage]] = {}
        self._makes: dict[Any, bool] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        makes = self._makes.get(func)
        if makes is None:
            makes = self._makes[func] = _makes_storage(func)
        if makes:
            for made in result if isinstance(result, (tuple, list)) else (result,):
                if isinstance(made, Tensor):
                    self._follow(made.untyped_storage())
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        key, n_bytes = id(storage), storage.nbytes()
        if key in self._alive:
            return

        def forget(_: object) -> None:
            del self._alive[key]
            self.live_bytes -= n_bytes

        self._alive[key] = weakref.ref(storage, forget)
        self.live_bytes += n_bytes
        if self.live_bytes > self.peak_bytes:
            self.peak_bytes = self.live_bytes


def _makes_storage(func: Any) -> bool:
    """Views and in-place operators return what they were given."""
    return not any(returned.alias_info for returned in func._schema.returns)
