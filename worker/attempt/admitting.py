"""Whether what is asked fits when it is taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contract.admission.bases import composing_of
from contract.admission.cards import default_threshold
from contract.admission.decision import decide, decide_composition
from contract.memory import Workload
from contract.sizes import size
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission, Decision
from worker.attempt.engine import Editor, Engine
from worker.attempt.lineage import BaseCheckpoint, Member


@dataclass(frozen=True, slots=True)
class AskedEdit:
    """An edit as it is asked of the engine: the request, how the engine reads it, and its base."""

    request: EditRequest
    parsed: Any
    base: BaseCheckpoint

    @classmethod
    def of(cls, request: EditRequest, base: BaseCheckpoint, engine: Engine) -> "AskedEdit":
        """With the threshold that the engine's card stands for, where the request sets none."""
        settled = _settled(request, engine)
        return cls(settled, engine.editor.parse(settled.model_dump(mode="json")), base)

    def workload(self, editor: Editor) -> Workload:
        return editor.workload(
            self.parsed,
            base=self.base.adapter,
            said=self.base.said,
            pad_rank=self.request.pad_rank,
        )


def admit(asked: AskedEdit, engine: Engine, *, needed_bytes: int = 0) -> Admission:
    """Decide with exact token counts and what is free now; what an earlier attempt found to be
    needed has to be free, too."""
    editor, hparams = engine.editor, asked.request.hparams
    admission = decide(
        editor.shape,
        asked.workload(editor),
        budget_bytes=engine.monitor.budget_bytes(),
        rest_bytes=engine.monitor.rest_bytes(),
        on_host=editor.on_host,
        threshold=hparams.adaptive_threshold,
        threshold_max=hparams.adaptive_threshold_max,
    )
    return _until_free(admission, needed_bytes)


def admit_composition(
    members: Sequence[Member], requests: Sequence[Any], *, engine: Engine, pad_rank: int | None
) -> Admission:
    """Decide on several edits together."""
    editor = engine.editor
    work = composing_of(
        [member.checkpoint for member in members],
        [editor.workload(request) for request in requests],
        pad_rank=pad_rank,
    )
    return decide_composition(
        editor.shape,
        work,
        budget_bytes=engine.monitor.budget_bytes(),
        rest_bytes=engine.monitor.rest_bytes(),
        on_host=editor.on_host,
    )


def _settled(request: EditRequest, engine: Engine) -> EditRequest:
    if engine.editor.on_host:
        return request
    threshold = default_threshold(request, card_bytes=engine.monitor.card_bytes)
    if threshold is None:
        return request
    hparams = request.hparams.model_copy(update={"adaptive_threshold": threshold})
    return request.model_copy(update={"hparams": hparams})


def _until_free(admission: Admission, needed_bytes: int) -> Admission:
    budget = admission.budget_bytes
    waits = admission.decision in (Decision.ADMIT, Decision.ADMIT_REDUCED)
    if not waits or budget is None or needed_bytes <= budget:
        return admission
    reason = f"an earlier attempt needed {size(needed_bytes)}, the budget is {size(budget)} now"
    return admission.model_copy(update={"decision": Decision.DEFER, "reasons": (reason,)})
