"""What a request asks of the engine, in tokens."""

from collections.abc import Callable

from contract.edits import EditRequest, Method
from contract.memory import SequenceShape, Workload

CountTokens = Callable[[str], int]
"""Tokens of a text, without BOS."""

DEFAULT_MAX_NEURONS = 4096
DEFAULT_ANSWER_TOKENS = 8


def workload_of(request: EditRequest, count: CountTokens) -> Workload:
    """The sequences an edit runs: attributed, written and evaluated."""
    steering = (request.prompt, *request.refine_prompts)
    probes = (*request.locality, *request.portability)
    target = count(request.target_new)
    answer = count(request.ground_truth) if request.ground_truth else DEFAULT_ANSWER_TOKENS
    scored = [(prompt, target) for prompt in (*steering, *request.rephrase_prompts)]
    scored += [(prompt, DEFAULT_ANSWER_TOKENS) for prompt in request.protect_prompts]
    scored += [(p.prompt, count(p.ground_truth or "") or DEFAULT_ANSWER_TOKENS) for p in probes]
    attributed = [_sequence(prompt, answer, count) for prompt in steering]
    if request.method is Method.CALIBRATED:
        attributed += [_sequence(prompt, target, count) for prompt in steering]
    if request.method is Method.EASYEDIT:
        attributed = attributed[0].one_by_one()
    return Workload(
        attributed=tuple(attributed),
        written=tuple(_sequence(prompt, target, count) for prompt in steering),
        evaluated=tuple(_sequence(prompt, tokens, count) for prompt, tokens in scored),
        steps=request.hparams.steps,
        max_neurons=request.hparams.max_neurons or DEFAULT_MAX_NEURONS,
        protected_tokens=sum(count(prompt) + 1 for prompt in request.protect_prompts),
        gated_unit=request.method is Method.EASYEDIT,
    )


def _sequence(prompt: str, answer_tokens: int, count: CountTokens) -> SequenceShape:
    return SequenceShape(prompt_tokens=count(prompt) + 1, answer_tokens=max(answer_tokens, 1))
