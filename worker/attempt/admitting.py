"""Whether an edit fits when it is taken, and what is done when memory runs out all the same."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contract.admission.bases import composing_of
from contract.admission.cards import default_threshold
from contract.admission.decision import decide, decide_composition, with_layers
from contract.ledger.attempts import Attempt
from contract.logs import EventLog
from contract.memory import ExcessError, Workload
from contract.sizes import size
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission, Applied, Decision
from contract.wire.failures import ErrorCode
from contract.wire.lifecycle import Phase
from contract.wire.views import EditResult
from worker.attempt.failures import Codes, code_of, message_of
from worker.attempt.lineage import BaseCheckpoint, Member
from worker.attempt.resources import Editor, EngineOutput, Resources

if TYPE_CHECKING:  # the engine brings torch
    from worker.kn.stopwatch import Watch

log = EventLog(__name__)

LOWERED = "less memory was free during the edit: fewer layers were run per pass"


class MemoryExhaustedError(MemoryError):
    """Memory ran out, and nothing smaller is left to be tried."""

    def __init__(self, admission: Admission, told: str, *, when: str) -> None:
        self.admission = admission
        super().__init__(
            f"memory ran out {when}, though {size(admission.predicted_peak_bytes)} were predicted "
            f"and {size(admission.budget_bytes or 0)} were free: {told}"
        )


class MemoryTakenError(Exception):
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
    base: BaseCheckpoint,
    resources: Resources,
    needed_bytes: int = 0,
) -> Admission:
    """Decide with exact token counts and what is free now, and record it; what an earlier attempt
    found to be needed has to be free, too."""
    resources.attempts.enter(attempt, Phase.ADMIT)
    editor = resources.editor
    admission = decide(
        editor.shape,
        _workload(parsed, base, request.pad_rank, editor=editor),
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
    reason = f"an earlier attempt needed {size(needed_bytes)}, the budget is {size(budget)} now"
    return admission.model_copy(update={"decision": Decision.DEFER, "reasons": (reason,)})


@dataclass(slots=True, kw_only=True)
class FittingEdit:
    """An edit that is tried with fewer layers a pass each time memory runs out.

    `admission` is the one that the latest try goes by; each change of it is recorded at once.
    """

    attempt: Attempt
    admission: Admission
    parsed: Any
    base: BaseCheckpoint
    pad_rank: int | None
    resources: Resources
    watch: "Watch"
    between: Callable[[], None]

    def made(self) -> EngineOutput:
        """The edit; raises `MemoryExhaustedError` when one layer a pass is too much,
        `MemoryTakenError` when it is to be tried later, and `ExcessError`."""
        while True:
            try:
                return self._tried()
            except (MemoryError, RuntimeError) as error:
                if code_of(error, self.resources.codes) is not ErrorCode.GPU_OOM:
                    raise
                told = message_of(error)
            except ExcessError as excess:
                if excess.predicted > self.resources.monitor.rest_bytes():
                    raise
                raise MemoryTakenError(excess) from None
            # Only here, where the exception and its frames are gone, can their memory be freed.
            self._shrink(told)

    def _tried(self) -> EngineOutput:
        return self.resources.editor.edit(
            self.parsed,
            base=self.base.adapter,
            said=self.base.said,
            pad_rank=self.pad_rank,
            layers_per_pass=self.admission.applied.layers_per_pass,
            budget_bytes=self.admission.budget_bytes,
            room_bytes=self.resources.monitor.room_bytes,
            lowered=self._lower,
            watch=self.watch,
            between=self.between,
        )

    def _lower(self, layers: int) -> None:
        """The engine found less memory on its way, and goes on with so many layers a pass."""
        self._record(_with(self.admission, Applied(layers_per_pass=layers), LOWERED))

    def _shrink(self, told: str) -> None:
        """Free what the try that failed has left, and halve the layers a pass."""
        editor = self.resources.editor
        self.resources.monitor.release()
        self.resources.weights.check()
        log.warning("memory_ran_out", layers_per_pass=self.admission.applied.layers_per_pass)
        work = _workload(self.parsed, self.base, self.pad_rank, editor=editor)
        self._record(_halved(self.admission, work, told, editor=editor))

    def _record(self, admission: Admission) -> None:
        self.admission = admission
        self.resources.attempts.admit(self.attempt, admission)


def _workload(
    parsed: Any, base: BaseCheckpoint, pad_rank: int | None, *, editor: Editor
) -> Workload:
    return editor.workload(parsed, base=base.adapter, said=base.said, pad_rank=pad_rank)


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
