"""An edit meets the memory that there is: it waits, shrinks, or fails with both figures."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fake_editor import FakeEditor, FakeMemory, FakeResult

from contract.ledger.ledger import Ledger
from contract.memory import ExcessError, ModelShape, estimate
from contract.sizes import size
from contract.wire.edits import HParams, Method
from contract.wire.estimates import Decision
from contract.wire.lifecycle import EditStatus, QueuedReason
from worker.attempt.patience import wait, wait_s
from worker.attempt.resources import Resources
from worker.tasks import run_edit

MIB = 1024**2
Make = Callable[..., Resources]
Submit = Callable[..., str]
EIGHT_LAYERS = ModelShape(
    n_layer=8, d_model=8, d_ff=16, n_head=2, n_kv_head=2, d_head=4, n_vocab=32, tied=False
)


@dataclass
class Greedy(FakeEditor):
    """Runs out of memory unless few enough layers ride."""

    fits: int = 1
    shape = EIGHT_LAYERS

    def edit(self, request: Mapping[str, Any], **given: Any) -> FakeResult:
        if given["layers_per_pass"] > self.fits:
            self.layers_per_pass.append(given["layers_per_pass"])
            raise MemoryError("tried to allocate 7 bytes")
        return super().edit(request, **given)


def test_an_edit_that_does_not_fit_now_waits_at_the_head_of_its_queue(
    resources: Make, submit: Submit, ledger: Ledger
) -> None:
    edit_id, paused = submit(), list[float]()
    tight = resources(memory=FakeMemory(free_bytes=1000), pause=paused.append)

    run_edit(edit_id, tight)

    edit = ledger.find(edit_id)
    assert edit is not None and edit.admission is not None
    assert (edit.status, edit.admission.decision) == (EditStatus.QUEUED, Decision.DEFER)
    assert ledger.record(edit_id).queued_reason is QueuedReason.WAITING_FOR_MEMORY
    assert ledger.queue("demo").ids()[0] == edit_id
    assert paused == [0.5]


def test_waiting_costs_no_attempt_and_the_edit_is_made_once_there_is_memory(
    resources: Make, submit: Submit, ledger: Ledger
) -> None:
    edit_id, memory, paused = submit(), FakeMemory(free_bytes=1000), list[float]()
    worker = resources(memory=memory, pause=paused.append, max_attempts=1)

    for _ in range(4):
        run_edit(edit_id, worker)
    memory.free_bytes = 1024 * MIB
    run_edit(edit_id, worker)

    assert ledger.find(edit_id).status is EditStatus.SUCCEEDED
    assert paused == [0.5, 1.0, 2.0, 4.0]
    assert worker.activity.edits_done == 1  # those that waited on do not count


def test_waiting_has_an_end(resources: Make, submit: Submit, ledger: Ledger) -> None:
    edit_id = submit()
    tight = {"memory": FakeMemory(free_bytes=1000), "memory_wait_s": 60.0}
    run_edit(edit_id, resources(**tight))

    run_edit(edit_id, resources(clock=lambda: time.time() + 61, **tight))

    edit = ledger.find(edit_id)
    assert edit.status is EditStatus.FAILED
    assert edit.error.code == "memory_infeasible"


@dataclass
class Hungry(FakeEditor):
    """Finds on its way that it takes `needs` bytes."""

    needs: int = 0
    begun: int = 0

    def edit(self, request: Mapping[str, Any], **given: Any) -> FakeResult:
        self.begun += 1
        if self.needs > given["budget_bytes"]:
            raise ExcessError(predicted=self.needs, budget=given["budget_bytes"])
        return super().edit(request, **given)


def test_what_is_found_to_fit_the_card_and_not_now_waits_and_is_not_begun_in_vain(
    resources: Make, submit: Submit, ledger: Ledger
) -> None:
    edit_id, memory, hungry = submit(), FakeMemory(free_bytes=512 * MIB), Hungry(needs=900 * MIB)
    worker = resources(editor=hungry, memory=memory, max_attempts=1)

    for _ in range(3):
        run_edit(edit_id, worker)
    waiting, begun = ledger.record(edit_id), hungry.begun
    memory.free_bytes = 1024 * MIB
    run_edit(edit_id, worker)

    assert (waiting.queued_reason, begun) == (QueuedReason.WAITING_FOR_MEMORY, 1)
    assert waiting.needed_bytes == 900 * MIB
    assert (ledger.find(edit_id).status, hungry.begun) == (EditStatus.SUCCEEDED, 2)


def test_what_is_found_to_fit_never_fails(resources: Make, submit: Submit, ledger: Ledger) -> None:
    edit_id = submit()

    run_edit(edit_id, resources(editor=Hungry(needs=3 * 1024 * MIB)))

    edit = ledger.find(edit_id)
    assert (edit.status, edit.error.code) == (EditStatus.FAILED, "memory_infeasible")
    assert "the edit takes 3221225472 bytes" in edit.error.message


def test_what_can_never_fit_fails_with_the_figures(
    resources: Make, submit: Submit, ledger: Ledger
) -> None:
    edit_id = submit()

    run_edit(edit_id, resources(memory_cap_bytes=1000))

    edit = ledger.find(edit_id)
    assert edit.error.code == "memory_infeasible"
    assert "the budget is 1.0 kB" in edit.error.message


def test_when_memory_runs_out_all_the_same_half_the_layers_are_tried(
    resources: Make, submit: Submit, ledger: Ledger
) -> None:
    edit_id, memory, editor = submit(), FakeMemory(), Greedy(fits=2)

    run_edit(edit_id, resources(editor=editor, memory=memory))

    edit = ledger.find(edit_id)
    assert edit.status is EditStatus.SUCCEEDED
    assert editor.layers_per_pass == [8, 4, 2]
    assert memory.released == 2
    assert edit.admission.decision is Decision.ADMIT_REDUCED
    assert edit.admission.applied.layers_per_pass == 2
    assert edit.admission.reasons[-2:] == (
        "memory ran out at 8 layers a pass",
        "memory ran out at 4 layers a pass",
    )
    work = editor.workload({})
    estimated = estimate(EIGHT_LAYERS, work, layers_per_pass=2)
    assert edit.admission.predicted_peak_bytes == estimated.peak_bytes
    assert sum(item.bytes for item in edit.admission.items) == estimated.peak_bytes


def test_memory_that_runs_out_at_one_layer_a_pass_fails_with_both_figures(
    resources: Make, submit: Submit, ledger: Ledger
) -> None:
    edit_id, memory = submit(), FakeMemory()
    worker = resources(editor=Greedy(fits=0), memory=memory)

    run_edit(edit_id, worker)

    edit = ledger.find(edit_id)
    assert edit.error.code == "gpu_oom"
    assert f"{size(edit.admission.predicted_peak_bytes)} were predicted" in edit.error.message
    assert f"{size(edit.admission.budget_bytes)} were free" in edit.error.message
    assert "tried to allocate 7 bytes" in edit.error.message
    assert memory.released == 5

    run_edit(submit(), resources(memory=memory))  # the next one runs
    assert worker.activity.current is None


def test_memory_that_runs_out_as_an_edit_is_read_back_is_reported_with_both_figures(
    resources: Make, submit: Submit, ledger: Ledger
) -> None:
    def run_out() -> None:
        raise MemoryError("tried to allocate 7 bytes")

    edit_id = submit()

    run_edit(edit_id, resources(editor=FakeEditor(on_verify=run_out)))

    edit = ledger.find(edit_id)
    assert edit.error.code == "gpu_oom"
    assert f"{size(edit.admission.predicted_peak_bytes)} were predicted" in edit.error.message
    assert "memory ran out when it was read back" in edit.error.message
    assert "tried to allocate 7 bytes" in edit.error.message


def test_another_error_is_not_tried_again(resources: Make, submit: Submit, ledger: Ledger) -> None:
    class Broken(FakeEditor):
        def edit(self, request: Mapping[str, Any], **given: Any) -> FakeResult:
            self.layers_per_pass.append(given["layers_per_pass"])
            raise RuntimeError("nothing to do with memory")

    edit_id, editor = submit(), Broken()

    run_edit(edit_id, resources(editor=editor))

    assert ledger.find(edit_id).error.code == "internal"
    assert editor.layers_per_pass == [2]


def test_on_a_card_the_methods_without_a_search_take_its_threshold(
    resources: Make, submit: Submit, ledger: Ledger
) -> None:
    class OnCard(FakeEditor):
        device = "cuda:0"
        on_host = False

    edit_id, editor = submit(method=Method.PAPER), OnCard()
    own = submit(method=Method.PAPER, hparams=HParams(adaptive_threshold=0.2))

    run_edit(edit_id, resources(editor=editor))
    run_edit(own, resources(editor=editor))

    # 2 GiB in all: the smallest band
    assert [e["hparams"]["adaptive_threshold"] for e in editor.edited] == [0.45, 0.2]
    assert ledger.find(edit_id).admission.applied.adaptive_threshold == 0.45


def test_the_wait_doubles_up_to_half_a_minute() -> None:
    assert [wait_s(n) for n in (0, 1, 2, 6, 7, 1000)] == [0.5, 1.0, 2.0, 30.0, 30.0, 30.0]


def test_who_is_told_to_stop_waits_no_longer() -> None:
    slept = list[float]()

    wait(30.0, stopped=lambda: len(slept) == 3, sleep=slept.append)

    assert slept == [0.1, 0.1, 0.1]
