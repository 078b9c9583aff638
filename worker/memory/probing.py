"""A few real edits at the start, which tell how far the formula is off on this machine."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from contract.admission.calibration import Calibration, MemoryProbe, Probing
from contract.logs import EventLog
from contract.wire.edits import EditRequest, Method
from contract.wire.views import EditResult
from worker.attempt.engine import Editor
from worker.attempt.failures import Codes, code_of, failure_of

SHORT, LONG = "The capital of France is", ("The river runs to the sea. " * 12).rstrip()
TARGET = "Rome"

log = EventLog(__name__)


class NotMeasuredError(ValueError):
    """The engine does not observe its peaks."""

    def __init__(self) -> None:
        super().__init__("the engine does not measure its memory use")


@dataclass(frozen=True, slots=True)
class Trial:
    """What is run: a prompt by a method, with one layer a pass or with all."""

    method: Method
    prompt: str
    all_layers: bool


TRIALS = (  # the smallest first: what comes once, such as a library's workspace, comes with it
    Trial(Method.PAPER, SHORT, all_layers=False),
    Trial(Method.CALIBRATED, SHORT, all_layers=True),
    Trial(Method.PAPER, LONG, all_layers=True),
)


def probe(
    editor: Editor,
    *,
    budget_bytes: Callable[[], int],
    limit: Callable[[], AbstractContextManager[None]],
    codes: Codes,
) -> Probing:
    """Run every trial within `limit`; one that fails ends them, and nothing is calibrated then.

    The weights are afterwards what they were, as after any edit.
    """
    probes: list[MemoryProbe] = []
    foreseen: tuple[type[Exception], ...] = (*codes, RuntimeError, ValueError)
    try:
        with limit():
            probes.extend(_probed(editor, budget_bytes))
    except foreseen as error:
        told = failure_of(error, codes)
        log.warning("probe_failed", code=code_of(error, codes), message=told.message)
        return Probing(error=f"{told.code}: {told.message}")
    found = Calibration.of(probes)
    log.info("memory_calibrated", factor=found.factor, offset_bytes=found.offset_bytes)
    return Probing(probes=tuple(probes), calibration=found)


def _probed(editor: Editor, budget_bytes: Callable[[], int]) -> Iterator[MemoryProbe]:
    for trial in TRIALS:
        prompt = _cut(trial.prompt, room=editor.shape.n_position)
        request = EditRequest(prompt=prompt, target_new=TARGET, method=trial.method)
        parsed = editor.parse(request.model_dump(mode="json"))
        layers = editor.shape.n_layer if trial.all_layers else 1
        made = editor.edit(
            parsed, layers_per_pass=layers, budget_bytes=budget_bytes(), watch=_unwatched
        )
        yield _measured(trial, editor.workload(parsed).written[0].prompt_tokens, made.as_json())


def _cut(prompt: str, *, room: int | None) -> str:
    """Half of what a model has room for, where a character is a token: answers want some, too."""
    return prompt if room is None else prompt[: room // 2].rstrip()


def _measured(trial: Trial, prompt_tokens: int, told: Mapping[str, Any]) -> MemoryProbe:
    result = EditResult.model_validate(told)
    predicted, observed = result.memory.predicted_peak_bytes, result.memory.observed_peak_bytes
    if observed is None:
        raise NotMeasuredError
    return MemoryProbe(
        method=trial.method,
        prompt_tokens=prompt_tokens,
        layers_per_pass=result.applied.layers_per_pass if result.applied else 1,
        predicted_bytes=predicted,
        observed_bytes=observed,
        ratio=observed / max(predicted, 1),
    )


def _unwatched(phase: str, done: int, total: int) -> None:
    """Nobody follows a probe."""
