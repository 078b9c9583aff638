"""Peak memory above the level at the start, on the CPU or on GPUs."""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from contract.memory import Item


class StagePeak(NamedTuple):
    """The most bytes above the weights in one stage; not observed is None."""

    stage: str
    predicted_bytes: int
    observed_bytes: int | None
    items: tuple[Item, ...]
    """The parts of the prediction; an observed peak has none."""


class Gauge(Protocol):
    """Reports the most bytes alive since it was last read."""

    def take_peak(self) -> int: ...


class Peak:
    """The most bytes that were alive at once within a `with metered(…)`, in all and by stage."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self.by_stage: dict[str, int] = {}
        self.n_bytes = 0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What is alive in the block, whoever made it, counts for the stage; it may come again."""
        self.read()
        try:
            yield
        finally:
            self.by_stage[name] = max(self.by_stage.get(name, 0), self.read())

    def read(self) -> int:
        """The peak since it was last read."""
        seen = self._gauge.take_peak()
        self.n_bytes = max(self.n_bytes, seen)
        return seen


@contextmanager
def metered(devices: set[torch.device]) -> Iterator[Peak]:
    """Measure what is allocated on top of what is there: the allocator's own count on GPUs, the
    storages that operators make on the CPU. An error gets a note with the peak so far."""
    gpus = sorted((d for d in devices if d.type == "cuda"), key=str)
    meter = StorageMeter()
    peak = Peak(CudaGauge(gpus) if gpus else meter)
    try:
        with nullcontext() if gpus else meter:
            yield peak
    except (MemoryError, RuntimeError) as error:  # torch's when memory runs out
        peak.read()
        error.add_note(f"{peak.n_bytes} bytes above the weights were in use at the most")
        raise
    finally:
        peak.read()


class CudaGauge:
    """The allocator's own count on GPUs, above where it stood."""

    def __init__(self, gpus: Sequence[torch.device]) -> None:
        self._starts = {gpu: torch.cuda.memory_allocated(gpu) for gpu in gpus}
        self._reset()

    def take_peak(self) -> int:
        tops = {gpu: torch.cuda.max_memory_allocated(gpu) for gpu in self._starts}
        self._reset()
        return sum(tops[gpu] - start for gpu, start in self._starts.items())

    def _reset(self) -> None:
        for gpu in self._starts:
            torch.cuda.reset_peak_memory_stats(gpu)


class StorageMeter(TorchDispatchMode):
    """Follows every storage that an operator makes, until it is freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live_bytes = 0
        self.peak_bytes = 0
        self._alive: dict[int, weakref.ref[torch.UntypedStorage]] = {}
        self._makes: dict[Any, bool] = {}

    def take_peak(self) -> int:
        seen, self.peak_bytes = self.peak_bytes, self.live_bytes
        return seen

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
