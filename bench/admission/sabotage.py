"""The memory formula with an error in it, which the bench has to find."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from contract.memory.items import Item, Stage

# `contract.memory.estimate` is a function as well, which hides the module of that name.
formula: Any = import_module("contract.memory.estimate")


@contextmanager
def sabotaged(item: str | None) -> Iterator[None]:
    """Within the block the memory formula counts half of an item."""
    usual = formula._largest

    def halved(stage: Stage) -> Stage:
        return Stage(name=stage.name, items=tuple(map(_halved, stage.items)))

    def _halved(part: Item) -> Item:
        n_bytes = part.n_bytes // 2 if part.name == item else part.n_bytes
        return Item(
            name=part.name, n_bytes=n_bytes, depends_on=part.depends_on, on_host=part.on_host
        )

    formula._estimate.cache_clear()
    if item is not None:
        formula._largest = lambda name, shape, moments, on_host: usual(
            name, shape, map(halved, moments), on_host=on_host
        )
    try:
        yield
    finally:
        formula._largest = usual
        formula._estimate.cache_clear()
