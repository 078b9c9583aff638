"""What is decided about a request before it becomes an edit: its model, its length, its memory."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.errors import ModelUnknownError, NoWorkerError, PromptTooLongError
from app.tokens import TokenCounter
from contract.admission import decide
from contract.edits import EditRequest
from contract.memory import ModelShape
from contract.views import Admission, ModelView, WorkerView
from contract.workload import CountTokens, workload_of


class Measured(NamedTuple):
    """Where in the request a prompt stands, and the tokens it takes with its answer."""

    pointer: str
    tokens: int


def model_for(name: str | None, models: Sequence[ModelView]) -> ModelView:
    """The model meant: the one named, or the only one; raises `NoWorkerError` as long as none is
    served, and `ModelUnknownError`."""
    if not models:
        raise NoWorkerError(None)
    if name is None and len(models) == 1:
        return models[0]
    for model in models:
        if model.name == name:
            return model
    raise ModelUnknownError(name, known=[model.name for model in models])


def admission_of(
    request: EditRequest,
    model: ModelView,
    *,
    workers: Sequence[WorkerView],
    counter: TokenCounter,
) -> Admission:
    """Whether the edit fits the largest budget of the model's live workers; raises
    `PromptTooLongError`."""
    if counter.is_exact and model.shape.n_position is not None:
        _check_length(request, counter.count, most=model.shape.n_position)
    budgets = [worker.budget_bytes for worker in workers if worker.model == model.name]
    admission = decide(
        ModelShape(**model.shape.model_dump()),
        workload_of(request, counter.count),
        budget_bytes=max(budgets, default=None),
    )
    if counter.is_exact:
        return admission
    reason = "tokens were counted as bytes, an upper bound: the model's tokenizer is not known"
    return admission.model_copy(update={"reasons": (*admission.reasons, reason)})


def _check_length(request: EditRequest, count: CountTokens, *, most: int) -> None:
    longest = max(_measured(request, count), key=lambda measured: measured.tokens)
    if longest.tokens > most:
        raise PromptTooLongError(longest.pointer, tokens=longest.tokens, most=most)


def _measured(request: EditRequest, count: CountTokens) -> Iterator[Measured]:
    """Each prompt with BOS and the longest answer it is run with; an answer that the model has
    still to give counts as one token."""
    answer = max(count(request.target_new), count(request.ground_truth or ""), 1)

    def measured(pointer: str, prompt: str, answer_tokens: int) -> Measured:
        return Measured(pointer, 1 + count(prompt.rstrip()) + answer_tokens)

    yield measured("#/prompt", request.prompt, answer)
    for i, prompt in enumerate(request.refine_prompts):
        yield measured(f"#/refine_prompts/{i}", prompt, answer)
    for i, prompt in enumerate(request.rephrase_prompts):
        yield measured(f"#/rephrase_prompts/{i}", prompt, count(request.target_new))
    for i, prompt in enumerate(request.protect_prompts):
        yield measured(f"#/protect_prompts/{i}", prompt, 1)
    for name, probes in (("locality", request.locality), ("portability", request.portability)):
        for i, probe in enumerate(probes):
            probed = max(count(probe.ground_truth or ""), 1)
            yield measured(f"#/{name}/{i}/prompt", probe.prompt, probed)
