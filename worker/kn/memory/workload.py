"""The work of a request on the resident model, in exact token counts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from contract.memory import (
    DEFAULT_MAX_NEURONS,
    FEWEST_NEW_TOKENS,
    AdapterShape,
    Chosen,
    Nodes,
    References,
    SequenceShape,
    Workload,
    Write,
    preserved_of,
)
from worker.kn.evaluate.questions import Question, new_tokens_for, questions_of
from worker.kn.methods.recipe import Task
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Statement
from worker.kn.request import EditRequest, Method, Operation
from worker.kn.write.adapter import Adapter


def workload_of(
    resident: Resident,
    request: EditRequest,
    *,
    references: Sequence[Sequence[int]],
    said: Sequence[Sequence[int]] = (),
) -> Workload:
    """The work, as far as it is known before the model is run.

    Answers not generated yet are assumed to have their greatest length: an old one is cut to the
    new one's length.
    """
    statement = resident.encoder.statement
    new = [statement(prompt, request.target_new) for prompt in request.steering_prompts]
    truth = request.ground_truth
    old = [statement(prompt, truth) for prompt in request.steering_prompts] if truth else new
    asked = tuple(_evaluated(resident, question) for question in questions_of(request))
    differ = truth is None or old != new
    return _workload(
        resident, request, references, said, old=old, new=new, differ=differ, asked=asked
    )


def shape_of_adapter(adapter: Adapter) -> AdapterShape:
    """An adapter as memory counts it."""
    layers = (write.layer for write in adapter.writes for _ in write.units)
    return AdapterShape(Chosen.of(layers), adapter.rank)


def settled_workload(before: Workload, task: Task, questions: Sequence[Question]) -> Workload:
    """The work once the model's own answers are known."""
    old, new = task.old, task.new
    work = _workload(
        task.resident,
        task.request,
        task.references,
        task.said,
        old=old,
        new=new,
        differ=old != new,
        asked=tuple(_evaluated(task.resident, question) for question in questions),
    )
    work = replace(work, base=before.base, pad_rank=before.pad_rank)
    if task.request.method is not Method.EASYEDIT:
        return replace(work, ended=task.ending is not None)
    steps = _one_by_one(task.resident, task.request.prompt, task.ground_truth)
    return replace(work, attributed=steps)


def _workload(
    resident: Resident,
    request: EditRequest,
    references: Sequence[Sequence[int]],
    said: Sequence[Sequence[int]],
    *,
    old: Sequence[Statement],
    new: Sequence[Statement],
    differ: bool,
    asked: tuple[SequenceShape, ...],
) -> Workload:
    easyedit = request.method is Method.EASYEDIT
    both = request.method is Method.CALIBRATED and request.operation is Operation.EDIT
    attributed = tuple(map(shape_of, old))
    if easyedit:
        answer = request.ground_truth or request.target_new
        attributed = _one_by_one(resident, request.prompt, answer)
    return Workload(
        attributed=attributed,
        attributed_new=tuple(map(shape_of, new)) if both and differ else (),
        written=tuple(map(shape_of, new)),
        evaluated=asked,
        new_tokens=new_tokens_for(resident, questions_of(request)),
        steps=request.hparams.steps,
        nodes=_nodes(request),
        gated_unit=easyedit,
        walked=_walked(resident, request) if easyedit else 0,
        write=_write_of(request),
        max_neurons=request.hparams.max_neurons or _most_neurons(resident, request),
        references=References.of([len(t) for t in (*references, *said)], said=len(said)),
        protected=tuple(_protected(resident, request)),
        sayings=preserved_of(map(len, said)),
    )


def _protected(resident: Resident, request: EditRequest) -> Iterator[int]:
    return (len(resident.encoder.prompt_ids(prompt)) for prompt in request.protect_prompts)


def _nodes(request: EditRequest) -> Nodes:
    """EasyEdit has its own nodes."""
    easyedit = request.method is Method.EASYEDIT
    return Nodes.ENDPOINTS if easyedit else Nodes(request.rule.value)


def _walked(resident: Resident, request: EditRequest) -> int:
    """Tokens of EasyEdit's last prompt along the new answer; an erase asks for none."""
    if request.operation is Operation.ERASE:
        return 0
    return _one_by_one(resident, request.prompt, request.target_new)[-1].prompt_tokens


def _most_neurons(resident: Resident, request: EditRequest) -> int:
    """Only `calibrated` has a default limit."""
    if request.method is Method.CALIBRATED:
        return DEFAULT_MAX_NEURONS
    return resident.shape.n_layer * resident.shape.d_ff


def _write_of(request: EditRequest) -> Write:
    if request.operation is Operation.ERASE:
        return Write.ERASED
    return Write.SEARCHED if request.method is Method.CALIBRATED else Write.DIRECT


def _one_by_one(resident: Resident, prompt: str, answer: str) -> tuple[SequenceShape, ...]:
    """EasyEdit's prompts, if each token that it appends as text is one token again."""
    encode = resident.tokenizer.encode
    whole = SequenceShape(prompt_tokens=len(encode(prompt)), answer_tokens=len(encode(answer)) - 1)
    return tuple(whole.one_by_one())


def shape_of(statement: Statement) -> SequenceShape:
    """A statement as memory counts it."""
    answer_tokens = len(statement.answers)
    return SequenceShape(
        prompt_tokens=len(statement.ids) - answer_tokens + 1, answer_tokens=answer_tokens
    )


def _evaluated(resident: Resident, question: Question) -> SequenceShape:
    if question.expected:
        return shape_of(question.statement(resident))
    ids = resident.encoder.prompt_ids(question.prompt)
    return SequenceShape(prompt_tokens=len(ids), answer_tokens=FEWEST_NEW_TOKENS)
