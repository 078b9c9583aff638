"""Points at which the formula is compared with traces of the engine's code at true shapes."""

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from typing import Any

import torch

from bench.memory.meta_tensors import Answering, resident_of, without_values
from contract.memory import FEWEST_NEW_TOKENS, Chosen, References, SequenceShape, Workload
from contract.memory.collect import collect_stages
from contract.memory.evaluation import evaluate_stages
from contract.memory.items import Stage
from contract.memory.known import KNOWN
from contract.memory.writing import write_stages
from worker.kn.collect.attribution import Path, Unit, attribute
from worker.kn.collect.neuron import Neuron, Scored
from worker.kn.collect.quadrature import riemann
from worker.kn.evaluate.questions import new_tokens_for, questions_of
from worker.kn.evaluate.replies import ask
from worker.kn.memory.metering import StorageMeter
from worker.kn.methods.calibrated import Calibrated
from worker.kn.methods.recipe import Task
from worker.kn.methods.search import Search
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Statement
from worker.kn.request import EditRequest
from worker.kn.write.adapter import Adapter
from worker.kn.write.weights import edited

MODELS = (
    "meta-llama/Llama-2-7b-hf",
    "meta-llama/Llama-2-13b-hf",
    "meta-llama/Meta-Llama-3-8B",
    "mistralai/Mistral-7B-v0.1",
    "Qwen/Qwen2.5-7B",
)
PASSES = 3
"""Passes that are traced of a point with many: those above ride fewer rows through fewer blocks."""
SEED = 20260


@dataclass(frozen=True, slots=True, kw_only=True)
class Collecting:
    """One attribution: prompts with equally many answer tokens, all traced together."""

    model: str
    dtype: str
    prompts: tuple[int, ...]
    answer: int
    steps: int
    layers: int
    gated: bool

    @property
    def work(self) -> Workload:
        sequences = tuple(
            SequenceShape(prompt_tokens=prompt, answer_tokens=self.answer)
            for prompt in self.prompts
        )
        return Workload(
            attributed=sequences, written=sequences, steps=self.steps, gated_unit=self.gated
        )

    def stages(self, resident: Resident) -> Iterator[Stage]:
        """What the formula says; scores are compared after the attribution that is traced."""
        stages = collect_stages(resident.shape, self.work, self.layers)
        return (stage for stage in stages if stage.name != "select")

    def run(self, resident: Resident) -> None:
        path = Path(
            quadrature=riemann(self.steps),
            unit=Unit.GATE if self.gated else Unit.HIDDEN,
            layers_per_pass=self.layers,
        )
        statements = [Statement.of([1] * prompt, [1] * self.answer) for prompt in self.prompts]

        def progress(done: int, total: int) -> None:
            if done >= PASSES < total:
                raise _EnoughError

        attribute(resident, statements, path, progress=progress)


class _EnoughError(Exception):
    """The passes that may be the peak are traced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """The stages after selection, with so many neurons in each of so many layers."""

    model: str
    dtype: str
    prompts: tuple[int, ...]
    answer: int
    neurons: int
    layers: int
    protected: tuple[int, ...]
    ended: bool
    reference_tokens: int = 24
    reference_texts: int = 384
    steps: int = 3  # of the search: those after the first two take what the second took

    @property
    def work(self) -> Workload:
        sequences = tuple(
            SequenceShape(prompt_tokens=prompt, answer_tokens=self.answer)
            for prompt in self.prompts
        )
        protected = tuple(
            SequenceShape(prompt_tokens=prompt, answer_tokens=FEWEST_NEW_TOKENS)
            for prompt in self.protected
        )
        return Workload(
            attributed=sequences,
            written=sequences,
            evaluated=(*sequences, *protected),
            new_tokens=max(FEWEST_NEW_TOKENS, self.answer + 2),
            chosen=Chosen(
                neurons=self.neurons * self.layers, widest=self.neurons, layers=self.layers
            ),
            references=References.of([self.reference_tokens] * self.reference_texts),
            protected=self.protected,
            ended=self.ended,
        )

    def stages(self, resident: Resident) -> Iterator[Stage]:
        yield from write_stages(resident.shape, self.work)
        yield from evaluate_stages(resident.shape, self.work)

    @property
    def request(self) -> EditRequest:
        first, *others = ["a" * (prompt - 1) for prompt in self.prompts]
        return EditRequest(
            prompt=first,
            target_new="b" * (self.answer - 1),
            refine_prompts=tuple(others),
            protect_prompts=tuple("d" * (prompt - 1) for prompt in self.protected),
        )

    @property
    def units(self) -> dict[int, list[int]]:
        return {layer: list(range(self.neurons)) for layer in range(self.layers)}

    def task(self, resident: Resident) -> Task:
        return Task(
            resident=resident,
            request=self.request,
            ground_truth=self.request.target_new,
            own_ids=(),
            ending=1 if self.ended else None,
            references=[[1] * self.reference_tokens] * self.reference_texts,
            layers_per_pass=1,
        )

    def run(self, resident: Resident) -> None:
        """Whiten, search, write, and ask."""
        chosen = [
            Scored(Neuron(layer, unit), 1.0)
            for layer, units in self.units.items()
            for unit in units
        ]
        recipe = Calibrated(Search(most_steps=self.steps))
        writes = recipe.write(self.task(resident), chosen, progress=lambda done, total: None)
        shape = resident.shape
        adapter = Adapter.of(writes, d_ff=shape.d_ff, dtype=resident.dtype)
        questions = questions_of(self.request)
        with edited(resident, adapter):
            new_tokens = new_tokens_for(resident, questions)
            ask(resident, questions, new_tokens=new_tokens)


Point = Collecting | Writing


def grid(*, collecting: int, writing: int) -> Iterator[Point]:
    """So many points of each kind, drawn with a fixed seed, the models in turn."""
    draw = random.Random(SEED)
    for n in range(collecting):
        yield _collecting(MODELS[n % len(MODELS)], draw)
    for n in range(writing):
        yield _writing(MODELS[n % len(MODELS)], draw)


def _collecting(model: str, draw: random.Random) -> Collecting:
    n_layer = KNOWN[model]["num_hidden_layers"]
    return Collecting(
        model=model,
        dtype=draw.choice(("bfloat16", "bfloat16", "float16", "float32")),
        prompts=_prompts(draw),
        answer=draw.choice((1, 1, 2, 3, 5)),
        steps=draw.choice((1, 2, 5, 10, 20, 20, 50)),
        layers=draw.choice((1, 2, 4, 8, 16, n_layer, n_layer)),
        gated=draw.random() < 0.15,
    )


def _writing(model: str, draw: random.Random) -> Writing:
    n_layer = KNOWN[model]["num_hidden_layers"]
    return Writing(
        model=model,
        dtype=draw.choice(("bfloat16", "float16", "float32")),
        prompts=_prompts(draw),
        answer=draw.choice((2, 3, 5)),
        neurons=draw.choice((4, 30, 128, 1000)),
        layers=draw.choice((1, n_layer // 2, n_layer)),
        protected=draw.choice(((), (24,), (24, 200))),
        ended=draw.random() < 0.5,
    )


def _prompts(draw: random.Random) -> tuple[int, ...]:
    longest = draw.choice((4, 8, 20, 60, 150, 400, 1000))
    number = draw.choice((1, 1, 2, 4, 8))
    return (longest, *(draw.randint(max(4, longest // 2), longest) for _ in range(number - 1)))


def traced(point: Point, *, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A row: the point, and the observed and predicted peaks; `config` defaults to the model's
    own."""
    config = config or KNOWN[point.model]
    with ExitStack() as modes:
        modes.enter_context(without_values())
        resident = resident_of(config, getattr(torch, point.dtype))
        modes.enter_context(resident.frozen())
        modes.enter_context(Answering())  # type: ignore[no-untyped-call]
        meter = modes.enter_context(StorageMeter())
        with suppress(_EnoughError):
            point.run(resident)
        observed = meter.peak_bytes
    binding = max(point.stages(resident), key=lambda stage: stage.n_bytes)
    return {
        "kind": type(point).__name__.lower(),
        **asdict(point),
        "observed_bytes": observed,
        "predicted_bytes": binding.n_bytes,
        "stage": binding.name,
    }
