"""Memory by purpose."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One part of the memory of a stage, and what it depends on."""

    name: str
    n_bytes: int
    depends_on: str
    on_host: bool = False  # in main memory: counts only if the model is there too


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What is alive at the peak of one stage, and the name of that moment."""

    name: str
    items: tuple[Item, ...]
    moment: str = ""

    @property
    def n_bytes(self) -> int:
        return sum(item.n_bytes for item in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The bytes above the weights at every stage; the largest stage binds."""

    layers_per_pass: int
    stages: tuple[Stage, ...]

    @property
    def binding(self) -> Stage:
        return max(self.stages, key=lambda stage: stage.n_bytes)

    @property
    def peak_bytes(self) -> int:
        return self.binding.n_bytes
