"""How long each phase of an edit takes, how much memory, and who is told of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from worker.kn.memory.metering import Peak

Watch = Callable[[str, int, int], None]
"""Called between passes with (phase, done, total); may raise to stop the edit."""

Progress = Callable[[int, int], None]
"""Called between passes of one phase with (done, total); may raise to stop the edit."""


@dataclass(slots=True)
class Stopwatch:
    """Seconds spent in each phase, and who is told of it; `peak` is told of stages."""

    watch: Watch
    peak: Peak | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str, *, stage: str | None = None) -> Iterator[Progress]:
        """Time the block, which is given what to tell of its progress. Its peak of memory counts
        for a `stage` of the formula, that of the same name unless another is told."""
        began = time.perf_counter()
        try:
            with self.peak.stage(stage or name) if self.peak else nullcontext():
                yield lambda done, total: self.watch(name, done, total)
        finally:
            self.seconds[f"{name}_s"] = time.perf_counter() - began
