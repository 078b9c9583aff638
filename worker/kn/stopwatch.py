"""How long each phase of an edit takes, and who is told of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Watch = Callable[[str, int, int], None]
"""Called between passes with (phase, done, total); may raise to stop the edit."""


@dataclass(slots=True)
class Stopwatch:
    """Seconds spent in each phase, and who is told of it."""

    watch: Watch
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """Time what is done in the block, which is given what to call as (done, total)."""
        began = time.perf_counter()
        try:
            yield lambda done, total: self.watch(name, done, total)
        finally:
            self.seconds[f"{name}_s"] = time.perf_counter() - began
