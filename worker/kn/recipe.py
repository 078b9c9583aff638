"""What a method is: a way to select neurons, and a way to write them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from worker.kn.adapter import LayerWrite
from worker.kn.neuron import Scored
from worker.kn.request import EditRequest
from worker.kn.resident import Resident

Told = Callable[[int, int], None]
"""Called between passes with (done, total); may raise to stop."""


@dataclass(frozen=True, slots=True)
class Task:
    """One edit of one model: the request with its old answer known.

    `ending` is the token with which the model ends that answer, where it is seen to end it.
    """

    resident: Resident
    request: EditRequest
    ground_truth: str
    ending: int | None
    references: Sequence[Sequence[int]]
    layers_per_pass: int


@dataclass(frozen=True, slots=True)
class Selection:
    """The neurons of the fact, the strongest first, and how far their attribution is from whole."""

    neurons: tuple[Scored, ...]
    incompleteness: float  # see `Attribution.incompleteness`


class Recipe(Protocol):
    """One method of the family."""

    def select(self, task: Task, *, told: Told) -> Selection:
        """The neurons of the fact; raises `NoNeuronsError`."""

    def write(self, task: Task, neurons: Sequence[Scored], *, told: Told) -> list[LayerWrite]:
        """How those neurons' columns change."""
