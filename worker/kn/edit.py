"""The steps of one edit: collect, select, write, evaluate."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

from worker.kn.errors import NothingToEraseError
from worker.kn.evaluate.measurement import Asked, Measurement
from worker.kn.evaluate.own_answer import OwnAnswer
from worker.kn.evaluate.replies import Reply
from worker.kn.evaluate.verdict import holds, warnings_of
from worker.kn.memory.allowance import Allowance
from worker.kn.memory.workload import settled_workload
from worker.kn.methods.calibrated import Calibrated
from worker.kn.methods.easyedit import EasyEdit
from worker.kn.methods.paper import Paper
from worker.kn.methods.recipe import Recipe, Selection, Task
from worker.kn.model.resident import Resident
from worker.kn.request import EditRequest, Method, Operation
from worker.kn.result import EditResult
from worker.kn.stopwatch import Stopwatch
from worker.kn.write.adapter import Adapter
from worker.kn.write.erasing import erasing
from worker.kn.write.stacking import joined
from worker.kn.write.weights import edited, edited_columns

RECIPES: Mapping[Method, Recipe] = {
    Method.CALIBRATED: Calibrated(),
    Method.PAPER: Paper(),
    Method.EASYEDIT: EasyEdit(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """An edit to make: the request, the model, and its resources."""

    resident: Resident
    request: EditRequest
    references: Sequence[Sequence[int]]
    said: Sequence[Sequence[int]]  # what earlier edits made the model say
    kept_rank: int
    base: Adapter | None
    pad_rank: int | None
    allowance: Allowance
    clock: Stopwatch

    def made(self) -> EditResult:
        """Make the edit and measure it; the weights are restored afterwards."""
        with edited(self.resident, self.base) if self.base else nullcontext():
            with self.clock.phase("before", stage="evaluate"):
                asked = Asked.of(self.resident, self.request)
            task = self._settled(self._task(asked.before[0]), asked)
            selection, adapter = self._found_and_written(task)
            # Raises where the edit by itself, without its base, changes nothing or overflows.
            edited_columns(self.resident, adapter)
        whole = joined([self.base, adapter] if self.base else [adapter], pad_rank=self.pad_rank)
        measurement = self._measured(whole, asked)
        peak = self.clock.peak
        return EditResult(
            adapter=whole,
            held=holds(self.request, task.own_ids, measurement.after[0]),
            layers_per_pass=self.allowance.layers,
            raised_threshold=self.allowance.raised_threshold,
            neurons=selection.neurons,
            n_layer=len(self.resident.blocks),
            completeness=selection.incompleteness,
            measurement=measurement,
            predicted_peak_bytes=self.allowance.predicted_bytes,
            observed_peak_bytes=peak.n_bytes if peak else None,
            stages=self.allowance.beside(peak.by_stage if peak else {}),
            timings=self.clock.seconds,
            warnings=warnings_of(self.request, asked.before[0], selection),
        )

    def _task(self, before: Reply) -> Task:
        own = OwnAnswer.of(self.resident, self.request, before)
        known = self.request.ground_truth or own.text
        if not known and self.request.operation is Operation.ERASE:
            raise NothingToEraseError
        return Task(
            resident=self.resident,
            request=self.request,
            ground_truth=known or self.request.target_new,
            own_text=own.text,
            own_ids=own.ids if own.text and not self.request.ground_truth else (),
            ending=own.ending,
            references=self.references,
            said=self.said,
            written_rank=self.kept_rank + (self.base.own_rank if self.base else 0),
            layers_per_pass=self.allowance.layers,
            next_layers=self.allowance.next_layers,
            attributing=self.allowance.attributing,
            walking=self.allowance.walking,
            preserve=self.allowance.preserve,
        )

    def _settled(self, task: Task, asked: Asked) -> Task:
        """The task with as many layers per pass as fit, once the answers are known."""
        work = settled_workload(self.allowance.work, task, asked.questions)
        return replace(task, layers_per_pass=self.allowance.settle(work))

    def _found_and_written(self, task: Task) -> tuple[Selection, Adapter]:
        recipe = RECIPES[self.request.method]
        with self.clock.phase("collect") as progress:
            most = self.request.hparams.adaptive_threshold_max
            selection = self.allowance.narrow(
                recipe.select(task, progress=progress), threshold_max=most
            )
        with self.clock.phase("write") as progress:
            if self.request.operation is Operation.ERASE:
                writes = erasing(self.resident, selection.neurons)
            else:
                writes = recipe.write(task, selection.neurons, progress=progress)
            adapter = Adapter.of(writes, d_ff=self.resident.shape.d_ff, dtype=self.resident.dtype)
        return selection, adapter

    def _measured(self, adapter: Adapter, asked: Asked) -> Measurement:
        with self.clock.phase("evaluate") as progress, edited(self.resident, adapter):
            progress(0, 1)
            measurement = asked.again(self.resident)
            progress(1, 1)
        return measurement
