"""What finished edits wrote and made the model say, told by their manifests."""

from collections.abc import Sequence
from dataclasses import replace

from contract.checkpoints import CheckpointView
from contract.memory import AdapterShape, Chosen, Composing, References, Workload, held_of
from contract.views import EditResult, NeuronView
from contract.workload import CountTokens

_EDITED = frozenset({"prompt", "refine"})
"""The roles of an edit's prompts that were edited."""


def composing_of(
    edits: Sequence[CheckpointView], asked: Sequence[Workload], *, pad_rank: int | None
) -> Composing:
    """What it takes to put edits together; `asked` is what each of them asks."""
    return Composing(
        members=tuple(AdapterShape(_chosen(edit), _rank(edit)) for edit in edits),
        together=_chosen(*edits),
        asked=tuple(asked),
        pad_rank=pad_rank,
    )


def on_top_of(edits: Sequence[CheckpointView], work: Workload, count: CountTokens) -> Workload:
    """The work, done on a checkpoint that holds these edits, one behind the other."""
    if not edits:
        return work
    said = [count(prompt) + count(reply) + 1 for prompt, reply in sayings_of(edits)]
    return replace(
        work,
        base=AdapterShape(_chosen(*edits), sum(map(_rank, edits))),
        references=References.sampled(said),
        protected=(*work.protected, *held_of(said)),
    )


def sayings_of(edits: Sequence[CheckpointView]) -> list[tuple[str, str]]:
    """The prompts that were edited and what the model said after them: what is made on top of these
    edits holds it."""
    answers = [answer for edit in edits for answer in _result(edit).answers]
    return [(answer.prompt, answer.after) for answer in answers if answer.role in _EDITED]


def _chosen(*edits: CheckpointView) -> Chosen:
    """A neuron that several write is one column."""
    places = {(neuron.layer, neuron.unit) for edit in edits for neuron in _neurons(edit)}
    return Chosen.of(layer for layer, _ in places)


def _neurons(edit: CheckpointView) -> tuple[NeuronView, ...]:
    return _result(edit).neurons


def _result(edit: CheckpointView) -> EditResult:
    assert isinstance(edit.result, EditResult)
    return edit.result


def _rank(edit: CheckpointView) -> int:
    """Its own directions, without those of what it was made on."""
    own = next(part for part in edit.parts if part.edit_id == edit.edit_id)
    return own.end_rank - own.first_rank
