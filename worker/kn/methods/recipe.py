"""What a method is: a way to select neurons, and a way to write them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from contract.memory import Held
from worker.kn.collect.attribution import Path
from worker.kn.collect.neuron import Scored
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Statement
from worker.kn.request import EditRequest
from worker.kn.stopwatch import Told
from worker.kn.write.adapter import LayerWrite


@dataclass(frozen=True, slots=True)
class Task:
    """One edit of one model: the request with its old answer known.

    `own_text` is the model's own answer; `own_ids` are its tokens where it serves as the old answer
    (as ids, since its text may have other tokens after the prompt), else empty. `ending` is the
    token with which the model ends that answer; None if it was not seen to. `references` are texts
    to be left alone, and `said` what earlier edits made the model say to other prompts, as ids.
    `written_rank` is that of all edits that the weights carry, a base's among them.
    """

    resident: Resident
    request: EditRequest
    ground_truth: str
    own_ids: tuple[int, ...]
    ending: int | None
    references: Sequence[Sequence[int]]
    layers_per_pass: int
    riding: Callable[[], int] | None = None  # asked before each pass: layers that ride in it
    attributing: Callable[[Sequence[Statement]], int] | None = None  # layers that may ride
    walking: Callable[[int], None] = lambda tokens: None  # told of a prompt to be run; may raise
    hold: Callable[[Sequence[Held]], None] = lambda held: None  # told what is held; may raise
    said: Sequence[Sequence[int]] = ()
    written_rank: int = 0
    own_text: str = ""

    @property
    def path(self) -> Path:
        """How its answers are attributed, by the quadrature that it asks for."""
        return Path(
            quadrature=self.request.quadrature,
            layers_per_pass=self.layers_per_pass,
            riding=self.riding,
        )

    @property
    def old(self) -> list[Statement]:
        """Each prompt that expresses the fact, followed by the old answer."""
        if not self.own_ids:
            return self._followed_by(self.ground_truth)
        encoder = self.resident.encoder
        return [
            encoder.checked(Statement.of(encoder.prompt_ids(prompt), self.own_ids))
            for prompt in self.request.steering_prompts
        ]

    @property
    def new(self) -> list[Statement]:
        """Each prompt that expresses the fact, followed by the new answer."""
        return self._followed_by(self.request.target_new)

    def _followed_by(self, answer: str) -> list[Statement]:
        statement = self.resident.encoder.statement
        return [statement(prompt, answer) for prompt in self.request.steering_prompts]


@dataclass(frozen=True, slots=True)
class Selection:
    """The neurons of the fact, the strongest first, and how far their attribution is from whole."""

    neurons: tuple[Scored, ...]
    incompleteness: float  # see `Attribution.incompleteness`
    threshold: float
    above: Callable[[float], tuple[Scored, ...]] | None = None  # what another would find


class Recipe(Protocol):
    """One method of the family."""

    def select(self, task: Task, *, told: Told) -> Selection:
        """The neurons of the fact; raises `NoNeuronsError`."""

    def write(self, task: Task, neurons: Sequence[Scored], *, told: Told) -> list[LayerWrite]:
        """How those neurons' columns change."""
