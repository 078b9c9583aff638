"""What a method is: a way to select neurons, and a way to write them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from contract.memory import PreservedBatch
from worker.kn.collect.attribution import Path
from worker.kn.collect.neuron import Scored
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Statement
from worker.kn.request import EditRequest
from worker.kn.stopwatch import Progress
from worker.kn.write.adapter import LayerWrite


@dataclass(frozen=True, slots=True)
class Task:
    """One edit of one model: the request, with the old answer known.

    `own_text` is the model's own answer; `own_ids` are its tokens where it serves as the old answer
    (ids, since its text may tokenise differently after the prompt), else empty. `ending` is the
    token with which the model ends that answer; None if it did not end it. `references` are texts
    to be preserved, and `said` what earlier edits made the model say to other prompts, as ids.
    `written_rank` is the total rank of the edits in the weights, including the base's.
    """

    resident: Resident
    request: EditRequest
    ground_truth: str
    own_ids: tuple[int, ...]
    ending: int | None
    references: Sequence[Sequence[int]]
    layers_per_pass: int
    next_layers: Callable[[], int] | None = None  # called before each pass: the most it may take
    attributing: Callable[[Sequence[Statement]], int] | None = None  # returns layers per pass
    walking: Callable[[int], None] = lambda tokens: None  # called before a prompt runs; may raise
    preserve: Callable[[Sequence[PreservedBatch]], None] = lambda batches: None  # may raise
    said: Sequence[Sequence[int]] = ()
    written_rank: int = 0
    own_text: str = ""

    @property
    def path(self) -> Path:
        """How its answers are attributed, by the quadrature that it asks for."""
        return Path(
            quadrature=self.request.quadrature,
            layers_per_pass=self.layers_per_pass,
            next_layers=self.next_layers,
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
    """The neurons of the fact, the strongest first, and how incomplete their attribution is."""

    neurons: tuple[Scored, ...]
    incompleteness: float  # see `Attribution.incompleteness`
    threshold: float
    above: Callable[[float], tuple[Scored, ...]] | None = None  # neurons for another threshold


class Recipe(Protocol):
    """One method of the family."""

    def select(self, task: Task, *, progress: Progress) -> Selection:
        """The neurons of the fact; raises `NoNeuronsError`."""

    def write(
        self, task: Task, neurons: Sequence[Scored], *, progress: Progress
    ) -> list[LayerWrite]:
        """How those neurons' columns change."""
