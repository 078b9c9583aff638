"""Whether an edit fits when it is taken, and what is done when memory runs out all the same."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from contract.admission.bases import composing_of
from contract.admission.cards import default_threshold
from contract.admission.decision import decide, decide_composition, with_layers
from contract.ledger.attempts import Attempt
from contract.logs import EventLog
from contract.memory import ExcessError, Workload
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission, Applied, Decision
from contract.wire.failures import ErrorCode
from contract.wire.lifecycle import Phase
from contract.wire.views import EditResult
from worker.failures import Codes, code_of, message_of
from worker.lineage import Ground, Member
from worker.resources import Editor, Made, Resources

log = EventLog(__name__)

LOWERED = "on the way there was room for fewer layers a pass"


class MemoryExhaustedError(MemoryError):
    """Memory ran out, and nothing smaller is left to be tried."""

    def __init__(self, admission: Admission, told: str, *, when: str) -> None:
        self.admission = admission
        super().__init__(
            f"{admission.predicted_peak_bytes} bytes were foretold and {admission.budget_bytes} "
            f"were free, yet memory ran out {when}: {told}"
        )


class CrowdedOutError(Exception):
    """What became known of an edit on its way fits the card, and not what others leave now."""

    def __init__(self, excess: ExcessError) -> None:
        self.needed_bytes = excess.predicted
        super().__init__(str(excess))


def settled(request: EditRequest, *, resources: Resources) -> EditRequest:
    """The request with the threshold that its card stands for, where it sets none."""
    if resources.editor.on_host:
        return request
    threshold = default_threshold(request, card_bytes=resources.monitor.card_bytes)
    if threshold is None:
        return request
    hparams = request.hparams.model_copy(update={"adaptive_threshold": threshold})
    return request.model_copy(update={"hparams": hparams})


def admit(
    attempt: Attempt,
    request: EditRequest,
    parsed: Any,
    *,
    ground: Ground,
    resources: Resources,
    needed_bytes: int = 0,
) -> Admission:
    """Decide with exact token counts and what is free now, and record it; what an earlier attempt
    found to be needed has to be free, too."""
    resources.attempts.enter(attempt, Phase.ADMIT)
    editor = resources.editor
    admission = decide(
        editor.shape,
        _workload(parsed, ground, request.pad_rank, editor=editor),
        budget_bytes=resources.monitor.budget_bytes(),
        rest_bytes=resources.monitor.rest_bytes(),
        on_host=editor.on_host,
        threshold=request.hparams.adaptive_threshold,
        threshold_max=request.hparams.adaptive_threshold_max,
    )
    admission = _until_free(admission, needed_bytes)
    resources.attempts.admit(attempt, admission)
    return admission


def admit_composition(
    attempt: Attempt,
    members: Sequence[Member],
    requests: Sequence[Any],
    *,
    pad_rank: int | None,
    resources: Resources,
) -> Admission:
    """Decide on several edits together, and record it."""
    resources.attempts.enter(attempt, Phase.ADMIT)
    editor = resources.editor
    work = composing_of(
        [member.checkpoint for member in members],
        [editor.workload(request) for request in requests],
        pad_rank=pad_rank,
    )
    admission = decide_composition(
        editor.shape,
        work,
        budget_bytes=resources.monitor.budget_bytes(),
        rest_bytes=resources.monitor.rest_bytes(),
        on_host=editor.on_host,
    )
    resources.attempts.admit(attempt, admission)
    return admission


@contextmanager
def exhausted(admission: Admission, codes: Codes, *, when: str) -> Iterator[None]:
    """Memory that runs out meanwhile is a `MemoryExhaustedError`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if code_of(error, codes) is not ErrorCode.GPU_OOM:
            raise
        raise MemoryExhaustedError(admission, message_of(error), when=when) from None


def _until_free(admission: Admission, needed_bytes: int) -> Admission:
    budget = admission.budget_bytes
    waits = admission.decision in (Decision.ADMIT, Decision.ADMIT_REDUCED)
    if not waits or budget is None or needed_bytes <= budget:
        return admission
    reason = f"it was found on the way to take {needed_bytes} bytes, the budget is {budget} now"
    return admission.model_copy(update={"decision": Decision.DEFER, "reasons": (reason,)})


def edit_within(
    attempt: Attempt,
    admission: Admission,
    parsed: Any,
    *,
    ground: Ground,
    pad_rank: int | None,
    resources: Resources,
    **given: Any,
) -> tuple[Made, Admission]:
    """Edit as admitted; each time memory runs out, free it and try with half the layers a pass.
    Fewer layers are told at once, whoever takes their room.

    Returns the edit and the admission that it was made by; raises `MemoryExhaustedError` when one
    layer a pass is too much, `CrowdedOutError` when it is to be tried later, and `ExcessError`.
    """

    def lowered(layers: int) -> None:
        nonlocal admission
        admission = _with(admission, Applied(layers_per_pass=layers), LOWERED)
        resources.attempts.admit(attempt, admission)

    editor = resources.editor
    while True:
        try:
            made = editor.edit(
                parsed,
                base=ground.adapter,
                said=ground.said,
                pad_rank=pad_rank,
                layers_per_pass=admission.applied.layers_per_pass,
                budget_bytes=admission.budget_bytes,
                room_bytes=resources.monitor.room_bytes,
                lowered=lowered,
                **given,
            )
            return made, admission
        except (MemoryError, RuntimeError) as error:
            if code_of(error, resources.codes) is not ErrorCode.GPU_OOM:
                raise
            told = message_of(error)
        except ExcessError as excess:
            if excess.predicted > resources.monitor.rest_bytes():
                raise
            raise CrowdedOutError(excess) from None
        # Only here, where the exception and its frames are gone, can their memory be freed.
        resources.monitor.release()
        resources.weights.check()
        log.warning("memory_ran_out", layers_per_pass=admission.applied.layers_per_pass)
        work = _workload(parsed, ground, pad_rank, editor=editor)
        admission = _halved(admission, work, told, editor=editor)
        resources.attempts.admit(attempt, admission)


def _workload(parsed: Any, ground: Ground, pad_rank: int | None, *, editor: Editor) -> Workload:
    return editor.workload(parsed, base=ground.adapter, said=ground.said, pad_rank=pad_rank)


def _halved(admission: Admission, work: Workload, told: str, *, editor: Editor) -> Admission:
    layers = admission.applied.layers_per_pass
    if layers == 1:
        raise MemoryExhaustedError(admission, told, when="at 1 layer a pass")
    fewer = with_layers(admission, editor.shape, work, layers // 2, on_host=editor.on_host)
    return _with(fewer, fewer.applied, f"memory ran out at {layers} layers a pass")


def as_applied(admission: Admission, result: EditResult) -> Admission:
    """The admission with the threshold that the edit was made with, where it was raised."""
    applied = result.applied
    if applied is None or applied.adaptive_threshold is None:
        return admission
    raised = (
        f"more neurons were found than fit: the threshold was raised to "
        f"{applied.adaptive_threshold:g}"
    )
    return _with(admission, applied, raised)


def _with(admission: Admission, applied: Applied, reason: str) -> Admission:
    """A reduced admission; what is not said of the settings stays."""
    told = {name: v for name, v in applied.model_dump().items() if v is not None}
    return admission.model_copy(
        update={
            "decision": Decision.ADMIT_REDUCED,
            "applied": admission.applied.model_copy(update=told),
            "reasons": tuple(dict.fromkeys((*admission.reasons, reason))),
        }
    )
