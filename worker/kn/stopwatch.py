"""Time, peak memory and progress of each phase of an edit."""

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
    """Seconds spent in each phase; reports progress to `watch` and stages to `peak`."""

    watch: Watch
    peak: Peak | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str, *, stage: str | None = None) -> Iterator[Progress]:
        """Time the block and yield a callback for its progress. Its peak memory counts towards the
        `stage` of the formula, by default that of the same name."""
        began = time.perf_counter()
        try:
            with self.peak.stage(stage or name) if self.peak else nullcontext():
                yield lambda done, total: self.watch(name, done, total)
        finally:
            self.seconds[f"{name}_s"] = time.perf_counter() - began
