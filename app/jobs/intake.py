"""What is decided about a request before it becomes an edit: its model, its length, its memory."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from app.errors import ModelUnknownError, NoWorkerError, PromptTooLongError
from app.jobs.tokens import TokenCounter, count_one
from contract.admission.bases import composing_of, on_top_of
from contract.admission.cards import default_threshold
from contract.admission.decision import decide, decide_composition, with_easyedit
from contract.admission.workload import (
    CountTokens,
    answer_tokens,
    fact_of,
    new_tokens_of,
    workload_of,
)
from contract.memory import ModelShape, Workload, as_run
from contract.wire.checkpoints import CheckpointView
from contract.wire.composition import ComposeRequest
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission, Decision, EditEstimate
from contract.wire.serving import ModelView, WorkerView


class Measured(NamedTuple):
    """Where in the request a prompt stands, and the tokens it takes with its answer."""

    pointer: str
    tokens: int


class Room(NamedTuple):
    """What the model's workers have for one job: the roomiest's budget, and an empty memory's."""

    budget_bytes: int | None
    rest_bytes: int | None
    on_host: bool
    card_bytes: int | None


def model_for(name: str | None, models: Sequence[ModelView]) -> ModelView:
    """The model meant: the one named, or the only one; raises `NoWorkerError` as long as none is
    served, and `ModelUnknownError`."""
    if not models:
        raise NoWorkerError(None)
    if name is None and (only := only_one(models)):
        return only
    for model in models:
        if model.name == name:
            return model
    raise ModelUnknownError(name, known=[model.name for model in models])


def only_one(models: Sequence[ModelView]) -> ModelView | None:
    """The model that is meant where none is named: the only one that has workers, or where none has
    any, the only one there is."""
    served = [model for model in models if model.workers] or models
    return served[0] if len(served) == 1 else None


def admission_of(
    request: EditRequest,
    model: ModelView,
    base: Sequence[CheckpointView],
    *,
    workers: Sequence[WorkerView],
    counter: TokenCounter,
) -> Admission:
    """Whether the edit, on a base of these edits, fits the largest budget of the model's live
    workers; raises `PromptTooLongError`."""
    if counter.is_exact and model.shape.n_position is not None:
        _check_length(request, counter.count, most=model.shape.n_position)
    room = _room(model, workers)

    def decided(count: CountTokens) -> Admission:
        work = on_top_of(base, request, count)
        return _decided(request, model, room, work)

    return _in_doubt(decided, counter)


def composition_admission_of(
    request: ComposeRequest,
    edits: Sequence[CheckpointView],
    model: ModelView,
    *,
    workers: Sequence[WorkerView],
    counter: TokenCounter,
) -> Admission:
    """Whether the edits, put together, fit the largest budget of the model's live workers."""
    room = _room(model, workers)
    asking = [edit.request for edit in edits if isinstance(edit.request, EditRequest)]

    def decided(count: CountTokens) -> Admission:
        asked = [workload_of(edit, count) for edit in asking]
        work = composing_of(edits, asked, pad_rank=request.pad_rank)
        return decide_composition(
            _shape(model),
            work,
            budget_bytes=room.budget_bytes,
            rest_bytes=room.rest_bytes,
            on_host=room.on_host,
        )

    return _in_doubt(decided, counter)


def _in_doubt(decided: Callable[[CountTokens], Admission], counter: TokenCounter) -> Admission:
    """What is decided; where tokens cannot be counted, nothing is refused that may fit."""
    admission = decided(counter.count)
    if counter.is_exact:
        return admission
    reason = "tokens were counted as bytes, an upper bound: the model's tokenizer is not known"
    if admission.decision is Decision.REJECT and decided(count_one).decision is not Decision.REJECT:
        admission = admission.model_copy(update={"decision": Decision.ADMIT})
    return admission.model_copy(update={"reasons": (*admission.reasons, reason)})


def estimate_of(
    request: EditRequest, model: ModelView, admission: Admission, *, counter: TokenCounter
) -> EditEstimate:
    """The admission, beside what EasyEdit's own KN would take for the request's fact."""
    return with_easyedit(admission, _shape(model), fact_of(request, counter.count))


def _decided(request: EditRequest, model: ModelView, room: Room, work: Workload) -> Admission:
    card_bytes = room.card_bytes
    return decide(
        _shape(model),
        work,
        budget_bytes=room.budget_bytes,
        rest_bytes=room.rest_bytes,
        on_host=room.on_host,
        threshold=default_threshold(request, card_bytes=card_bytes) if card_bytes else None,
        threshold_max=request.hparams.adaptive_threshold_max,
    )


def _room(model: ModelView, workers: Sequence[WorkerView]) -> Room:
    serving = [worker for worker in workers if worker.serves(model.name)]
    roomiest = max(serving, key=lambda worker: worker.budget_bytes, default=None)
    capacities = [worker.capacity_bytes for worker in serving if worker.capacity_bytes is not None]
    on_host = roomiest is None or roomiest.on_host
    return Room(
        budget_bytes=None if roomiest is None else roomiest.budget_bytes,
        rest_bytes=max(capacities, default=None),
        on_host=on_host,
        card_bytes=None if on_host or roomiest is None else roomiest.total_bytes,
    )


def _shape(model: ModelView) -> ModelShape:
    return ModelShape(**model.shape.model_dump())


def _check_length(request: EditRequest, count: CountTokens, *, most: int) -> None:
    longest = max(_measured(request, count), key=lambda measured: measured.tokens)
    if longest.tokens > most:
        raise PromptTooLongError(longest.pointer, tokens=longest.tokens, most=most)


def _measured(request: EditRequest, count: CountTokens) -> Iterator[Measured]:
    """Each prompt with BOS and the most that the model is run with after it: what it says when it
    is asked, or an old answer that is longer."""
    truth = request.ground_truth
    old = [answer_tokens(p, truth, count) for p in request.steering_prompts] if truth else []
    after = max([new_tokens_of(request, count), *old])

    def measured(pointer: str, prompt: str) -> Measured:
        return Measured(pointer, 1 + count(as_run(prompt)) + after)

    yield measured("#/prompt", request.prompt)
    for name in ("refine_prompts", "rephrase_prompts", "protect_prompts"):
        for i, prompt in enumerate(getattr(request, name)):
            yield measured(f"#/{name}/{i}", prompt)
    for name in ("locality", "portability"):
        for i, probe in enumerate(getattr(request, name)):
            yield measured(f"#/{name}/{i}/prompt", probe.prompt)
