"""The work of building on finished edits, from their manifests."""

from collections.abc import Sequence
from dataclasses import replace

from contract.admission.workload import CountTokens, workload_of
from contract.memory import (
    AdapterShape,
    Chosen,
    Composing,
    References,
    Workload,
    as_run,
    followed,
    preserved_of,
)
from contract.wire.checkpoints import CheckpointView
from contract.wire.edits import EditRequest
from contract.wire.views import EditResult, NeuronView

_EDITED = frozenset({"prompt", "refine"})
"""The roles of an edit's prompts that were edited."""


def composing_of(
    edits: Sequence[CheckpointView], asked: Sequence[Workload], *, pad_rank: int | None
) -> Composing:
    """The work of composing edits; `asked` is the workload of each of them."""
    return Composing(
        members=tuple(AdapterShape(_chosen(edit), _rank(edit)) for edit in edits),
        together=_chosen(*edits),
        asked=tuple(asked),
        pad_rank=pad_rank,
    )


def on_top_of(
    edits: Sequence[CheckpointView], request: EditRequest, count: CountTokens
) -> Workload:
    """The work of a request on a checkpoint that contains these edits, in order."""
    work = workload_of(request, count)
    if not edits:
        return work
    edited = set(map(as_run, request.steering_prompts))
    others = [(p, reply) for p, reply in sayings_of(edits).items() if p not in edited]
    said = [count(as_run(followed(prompt, reply))) + 1 for prompt, reply in others]
    return replace(
        work,
        base=AdapterShape(_chosen(*edits), sum(map(_rank, edits))),
        references=References.sampled(said),
        sayings=preserved_of(said),
    )


def sayings_of(edits: Sequence[CheckpointView]) -> dict[str, str]:
    """What the edits made the model say to each prompt that they edited, the latest where several
    did, by the prompt without trailing blanks: later edits on top of them preserve it."""
    answers = [answer for edit in edits for answer in _result(edit).answers]
    return {as_run(a.prompt): a.after for a in answers if a.role in _EDITED}


def _chosen(*edits: CheckpointView) -> Chosen:
    """The neurons that the edits write; one that several write counts once."""
    places = {(neuron.layer, neuron.unit) for edit in edits for neuron in _neurons(edit)}
    return Chosen.of(layer for layer, _ in places)


def _neurons(edit: CheckpointView) -> tuple[NeuronView, ...]:
    return _result(edit).neurons


def _result(edit: CheckpointView) -> EditResult:
    assert isinstance(edit.result, EditResult)
    return edit.result


def _rank(edit: CheckpointView) -> int:
    """The rank of the edit itself, without its base's."""
    own = next(part for part in edit.parts if part.edit_id == edit.edit_id)
    return own.end_rank - own.first_rank
