"""What finished edits wrote, as memory counts it, told by their manifests."""

from collections.abc import Sequence

from contract.checkpoints import CheckpointView
from contract.memory import AdapterShape, Chosen, Composing, Workload
from contract.views import EditResult, NeuronView


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


def base_of(edits: Sequence[CheckpointView]) -> AdapterShape:
    """The adapter of a checkpoint that holds these edits, one behind the other."""
    return AdapterShape(_chosen(*edits), sum(map(_rank, edits)))


def _chosen(*edits: CheckpointView) -> Chosen:
    """A neuron that several write is one column."""
    places = {(neuron.layer, neuron.unit) for edit in edits for neuron in _neurons(edit)}
    return Chosen.of(layer for layer, _ in places)


def _neurons(edit: CheckpointView) -> tuple[NeuronView, ...]:
    assert isinstance(edit.result, EditResult)
    return edit.result.neurons


def _rank(edit: CheckpointView) -> int:
    """Its own directions, without those of what it was made on."""
    own = next(part for part in edit.parts if part.edit_id == edit.edit_id)
    return own.end_rank - own.first_rank
