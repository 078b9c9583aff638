"""What a request asks of the engine, in tokens."""

from collections.abc import Callable

from contract.edits import EditRequest, Method, Operation
from contract.memory import FEWEST_NEW_TOKENS, SAMPLED, Nodes, SequenceShape, Workload, Write

CountTokens = Callable[[str], int]
"""Tokens of a text, without BOS."""

CALIBRATED_MAX_NEURONS = 4096
"""What `calibrated` writes at most, unless told; the other methods know no limit."""
ALL_NEURONS = 2**31


def workload_of(request: EditRequest, count: CountTokens) -> Workload:
    """The sequences an edit runs: attributed, written and evaluated.

    An old answer that the model has still to give is cut to the new one's length.
    """
    steering = request.steering_prompts
    probes = (*request.locality, *request.portability)
    target = count(request.target_new)
    truth = count(request.ground_truth) if request.ground_truth else target
    asked = [(prompt, target) for prompt in steering]
    asked += [(prompt, FEWEST_NEW_TOKENS) for prompt in request.protect_prompts]
    asked += [(prompt, target) for prompt in request.rephrase_prompts]
    asked += [(p.prompt, count(p.ground_truth or "") or FEWEST_NEW_TOKENS) for p in probes]
    old = [_sequence(prompt, truth, count) for prompt in steering]
    new = tuple(_sequence(prompt, target, count) for prompt in steering)
    both = request.method is Method.CALIBRATED and request.operation is Operation.EDIT
    easyedit = request.method is Method.EASYEDIT
    return Workload(
        attributed=tuple(old[0].one_by_one() if easyedit else old),
        attributed_new=new if both and request.ground_truth != request.target_new else (),
        written=new,
        evaluated=tuple(_sequence(prompt, tokens, count) for prompt, tokens in asked),
        new_tokens=new_tokens_of(request, count),
        steps=request.hparams.steps,
        nodes=_nodes(request),
        gated_unit=easyedit,
        walked=_walked(request, new[0]),
        write=_write(request),
        max_neurons=request.hparams.max_neurons or _most_neurons(request),
        references=SAMPLED,
        pad_rank=request.pad_rank,
        protected=tuple(count(prompt) + 1 for prompt in request.protect_prompts),
    )


def fact_of(request: EditRequest, count: CountTokens) -> SequenceShape:
    """The fact as EasyEdit takes it: its prompt with the old answer, one that is not told being as
    long as the new one."""
    answer = request.ground_truth or request.target_new
    return _sequence(request.prompt, count(answer), count)


def new_tokens_of(request: EditRequest, count: CountTokens) -> int:
    """The tokens that the model says to each prompt: the longest answer told, and what follows."""
    told = [p.ground_truth for p in (*request.locality, *request.portability)]
    expected = [count(answer) for answer in (request.target_new, *told) if answer]
    return max([FEWEST_NEW_TOKENS, *(n + 2 for n in expected)])


def _nodes(request: EditRequest) -> Nodes:
    easyedit = request.method is Method.EASYEDIT
    return Nodes.ENDPOINTS if easyedit else Nodes(request.quadrature.value)


def _write(request: EditRequest) -> Write:
    if request.operation is Operation.ERASE:
        return Write.ERASED
    return Write.SEARCHED if request.method is Method.CALIBRATED else Write.DIRECT


def _walked(request: EditRequest, new: SequenceShape) -> int:
    """Tokens of EasyEdit's last prompt along the new answer, by which it finds what to write."""
    walks = request.method is Method.EASYEDIT and request.operation is Operation.EDIT
    return new.one_by_one()[-1].prompt_tokens if walks else 0


def _most_neurons(request: EditRequest) -> int:
    return CALIBRATED_MAX_NEURONS if request.method is Method.CALIBRATED else ALL_NEURONS


def _sequence(prompt: str, answer_tokens: int, count: CountTokens) -> SequenceShape:
    return SequenceShape(prompt_tokens=count(prompt) + 1, answer_tokens=max(answer_tokens, 1))
