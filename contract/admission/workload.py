"""The work that a request asks of the engine, in tokens."""

from collections.abc import Callable, Iterator

from contract.memory import (
    DEFAULT_MAX_NEURONS,
    FEWEST_NEW_TOKENS,
    SAMPLED,
    Nodes,
    SequenceShape,
    Workload,
    Write,
    as_run,
    followed,
)
from contract.wire.edits import EditRequest, Method, Operation

CountTokens = Callable[[str], int]
"""Tokens of a text, without BOS."""

ALL_NEURONS = 2**31


def workload_of(request: EditRequest, count: CountTokens) -> Workload:
    """The sequences that an edit attributes, writes and evaluates.

    An old answer that is not given is assumed to be as long as the new one.
    """
    steering, truth = request.steering_prompts, request.ground_truth or request.target_new
    old = tuple(_sequence(prompt, truth, count) for prompt in steering)
    new = tuple(_sequence(prompt, request.target_new, count) for prompt in steering)
    both = request.method is Method.CALIBRATED and request.operation is Operation.EDIT
    easyedit = request.method is Method.EASYEDIT
    return Workload(
        attributed=tuple(fact_of(request, count).one_by_one()) if easyedit else old,
        attributed_new=new if both and request.ground_truth != request.target_new else (),
        written=new,
        evaluated=tuple(_sequence(*question, count) for question in _asked(request)),
        new_tokens=new_tokens_of(request, count),
        steps=request.hparams.steps,
        nodes=_nodes(request),
        gated_unit=easyedit,
        walked=_walked(request, count),
        write=_write(request),
        max_neurons=request.hparams.max_neurons or _most_neurons(request),
        references=SAMPLED,
        pad_rank=request.pad_rank,
        protected=tuple(count(as_run(prompt)) + 1 for prompt in request.protect_prompts),
    )


def fact_of(request: EditRequest, count: CountTokens) -> SequenceShape:
    """The fact as EasyEdit takes it: its prompt with the old answer, which counts as long as the
    new one if it is not given."""
    return _apart(request.prompt, request.ground_truth or request.target_new, count)


def new_tokens_of(request: EditRequest, count: CountTokens) -> int:
    """The tokens to generate after each prompt: two more than the longest given answer has."""
    given = [answer_tokens(prompt, answer, count) for prompt, answer in _asked(request) if answer]
    return max([FEWEST_NEW_TOKENS, *(n + 2 for n in given)])


def answer_tokens(prompt: str, answer: str, count: CountTokens) -> int:
    """The tokens that an answer adds to a prompt."""
    return max(count(followed(prompt, answer)) - count(as_run(prompt)), 1)


def _asked(request: EditRequest) -> Iterator[tuple[str, str | None]]:
    """Every prompt that the model is asked, with the expected answer, if one is given."""
    for prompt in request.steering_prompts:
        yield prompt, request.target_new
    for prompt in request.protect_prompts:
        yield prompt, None
    for prompt in request.rephrase_prompts:
        yield prompt, request.target_new
    for probe in (*request.locality, *request.portability):
        yield probe.prompt, probe.ground_truth


def _nodes(request: EditRequest) -> Nodes:
    easyedit = request.method is Method.EASYEDIT
    return Nodes.ENDPOINTS if easyedit else Nodes(request.quadrature.value)


def _write(request: EditRequest) -> Write:
    if request.operation is Operation.ERASE:
        return Write.ERASED
    return Write.SEARCHED if request.method is Method.CALIBRATED else Write.DIRECT


def _walked(request: EditRequest, count: CountTokens) -> int:
    """Tokens of the longest prompt that EasyEdit runs to find what to write."""
    if request.method is not Method.EASYEDIT or request.operation is Operation.ERASE:
        return 0
    return _apart(request.prompt, request.target_new, count).one_by_one()[-1].prompt_tokens


def _most_neurons(request: EditRequest) -> int:
    return DEFAULT_MAX_NEURONS if request.method is Method.CALIBRATED else ALL_NEURONS


def _sequence(prompt: str, answer: str | None, count: CountTokens) -> SequenceShape:
    """A prompt as it is run, followed by an answer or by the model's own."""
    tokens = answer_tokens(prompt, answer, count) if answer else FEWEST_NEW_TOKENS
    return SequenceShape(prompt_tokens=count(as_run(prompt)) + 1, answer_tokens=tokens)


def _apart(prompt: str, answer: str, count: CountTokens) -> SequenceShape:
    """Prompt and answer as EasyEdit tokenises them, separately."""
    return SequenceShape(prompt_tokens=count(prompt) + 1, answer_tokens=max(count(answer), 1))
