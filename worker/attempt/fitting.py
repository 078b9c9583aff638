"""Fitting an edit into the memory there is: what is done when it runs out all the same."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contract.admission.decision import with_layers
from contract.logs import EventLog
from contract.memory import ExcessError, Workload
from contract.sizes import size
from contract.wire.estimates import Admission, Applied, Decision
from contract.wire.failures import ErrorCode
from contract.wire.views import EditResult
from worker.attempt.admitting import AskedEdit
from worker.attempt.engine import Editor, Engine, EngineOutput
from worker.attempt.failures import Codes, code_of, message_of

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


@contextmanager
def exhausted(admission: Admission, codes: Codes, *, when: str) -> Iterator[None]:
    """Memory that runs out meanwhile is a `MemoryExhaustedError`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if code_of(error, codes) is not ErrorCode.GPU_OOM:
            raise
        raise MemoryExhaustedError(admission, message_of(error), when=when) from None


@dataclass(slots=True, kw_only=True)
class FittingEdit:
    """An edit that is tried with fewer layers a pass each time memory runs out.

    `admission` is the one that the latest try goes by; each change of it is told at once.
    """

    asked: AskedEdit
    admission: Admission
    engine: Engine
    tell: Callable[[Admission], None]
    watch: "Watch"
    between: Callable[[], None]

    def made(self) -> EngineOutput:
        """The edit; raises `MemoryExhaustedError` when one layer a pass is too much,
        `MemoryTakenError` when it is to be tried later, and `ExcessError`."""
        while True:
            try:
                return self._tried()
            except (MemoryError, RuntimeError) as error:
                if code_of(error, self.engine.codes) is not ErrorCode.GPU_OOM:
                    raise
                told = message_of(error)
            except ExcessError as excess:
                if excess.predicted > self.engine.monitor.rest_bytes():
                    raise
                raise MemoryTakenError(excess) from None
            # Only here, where the exception and its frames are gone, can their memory be freed.
            self._shrink(told)

    def _tried(self) -> EngineOutput:
        return self.engine.editor.edit(
            self.asked.parsed,
            base=self.asked.base.adapter,
            said=self.asked.base.said,
            pad_rank=self.asked.request.pad_rank,
            layers_per_pass=self.admission.applied.layers_per_pass,
            budget_bytes=self.admission.budget_bytes,
            room_bytes=self.engine.monitor.room_bytes,
            lowered=self._lower,
            watch=self.watch,
            between=self.between,
        )

    def _lower(self, layers: int) -> None:
        """The engine found less memory on its way, and goes on with so many layers a pass."""
        self._change(_with(self.admission, Applied(layers_per_pass=layers), LOWERED))

    def _shrink(self, told: str) -> None:
        """Free what the try that failed has left, and halve the layers a pass."""
        editor = self.engine.editor
        self.engine.monitor.release()
        self.engine.weights.check()
        log.warning("memory_ran_out", layers_per_pass=self.admission.applied.layers_per_pass)
        self._change(_halved(self.admission, self.asked.workload(editor), told, editor=editor))

    def _change(self, admission: Admission) -> None:
        self.admission = admission
        self.tell(admission)


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
