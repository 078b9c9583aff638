"""Compositions and edits on checkpoints, from their job to their end."""

from collections.abc import Callable
from typing import Any

import pytest
from fake_editor import FakeAdapter, FakeComposition, FakeEditor, FakeMemory

from contract.ledger.ledger import Ledger
from contract.sizes import size
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointView, CompositionView, Part
from contract.wire.composition import ComposeRequest, Composition
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus, Outcome, QueuedReason
from worker.attempt.resources import Resources
from worker.tasks import run_edit

Submit = Callable[..., str]
MakeResources = Callable[..., Resources]


@pytest.fixture
def edited(submit: Submit, resources: MakeResources) -> Callable[..., str]:
    """An edit that is published already."""

    def edited(content: bytes, **changes: Any) -> str:
        edit_id = submit(**changes)
        run_edit(edit_id, resources(editor=FakeEditor(content=content)))
        return edit_id

    return edited


@pytest.fixture
def compose(ledger: Ledger, resources: MakeResources) -> Callable[..., str]:
    """Submit a composition and run it; returns its id."""

    def compose(*edits: str, editor: FakeEditor | None = None, **more: Any) -> str:
        request = ComposeRequest(edits=edits, **more)
        submission = ledger.submit(request, model="demo", admission=None)
        run_edit(submission.edit_id, resources(editor=editor or FakeEditor()))
        return submission.edit_id

    return compose


def published(store: CheckpointStore, checkpoint_id: str) -> CheckpointView:
    checkpoint = store.find(checkpoint_id)
    assert checkpoint is not None
    return checkpoint


def ended(ledger: Ledger, checkpoint_id: str) -> CompositionView:
    view = ledger.find_composition(checkpoint_id)
    assert view is not None
    return view


def failure(ledger: Ledger, checkpoint_id: str) -> ErrorCode:
    view = ended(ledger, checkpoint_id)
    assert (view.status, view.error is None) == (EditStatus.FAILED, False)
    return view.error.code if view.error else ErrorCode.INTERNAL


def test_edits_are_stacked_in_the_order_they_are_named(
    store: CheckpointStore, ledger: Ledger, edited: Submit, compose: Submit
) -> None:
    first, second = edited(b"one"), edited(b"two")

    checkpoint_id = compose(second, first)

    checkpoint = published(store, checkpoint_id)
    weights = next(f for f in checkpoint.files if f.path == "adapter_model.safetensors")
    assert store.read(weights) == b"two+one"
    assert checkpoint.parts == (
        Part(edit_id=second, first_rank=0, end_rank=1),
        Part(edit_id=first, first_rank=1, end_rank=2),
    )
    assert checkpoint.built_on == {checkpoint_id_of(first), checkpoint_id_of(second)}
    assert (checkpoint.edit_id, ended(ledger, checkpoint_id).status) == (None, "succeeded")


def test_each_edit_is_tested_again_and_conflicts_are_reported(
    store: CheckpointStore, edited: Submit, compose: Submit
) -> None:
    first, second = edited(b"one", subject="France"), edited(b"two", subject="france")

    result = published(store, compose(first, second)).result

    assert isinstance(result, Composition)
    assert [(r.edit_id, r.outcome, r.after) for r in result.retests] == [
        (first, Outcome.HELD, "Rome"),
        (second, Outcome.HELD, "Rome"),
    ]
    assert [conflict.kind for conflict in result.conflicts] == [
        "same_subject",
        "overlapping_columns",
    ]
    assert result.outcome is Outcome.HELD


def test_a_composition_may_insist_that_all_hold(
    ledger: Ledger, store: CheckpointStore, edited: Submit, compose: Submit
) -> None:
    edit_id = edited(b"one")

    loose = compose(edit_id, editor=FakeEditor(outcome="not_held"))
    strict = compose(edit_id, editor=FakeEditor(outcome="not_held"), require_held=True)

    assert published(store, loose).result.outcome is Outcome.NOT_HELD
    assert failure(ledger, strict) is ErrorCode.NOT_HELD
    assert store.find(strict) is None


def test_an_edit_that_was_taken_away_meanwhile_is_reported(
    ledger: Ledger, store: CheckpointStore, edited: Submit, compose: Submit
) -> None:
    edit_id = edited(b"one")
    store.remove(checkpoint_id_of(edit_id))

    assert failure(ledger, compose(edit_id)) is ErrorCode.CHECKPOINT_NOT_FOUND


def test_edits_of_another_base_are_refused(ledger: Ledger, edited: Submit, compose: Submit) -> None:
    edit_id, other = edited(b"one"), FakeEditor()
    other.base_digest = "c" * 64

    assert failure(ledger, compose(edit_id, editor=other)) is ErrorCode.BASE_DIFFERS


def test_a_composition_that_is_run_again_is_left_as_it_is(
    ledger: Ledger, edited: Submit, compose: Submit, resources: MakeResources
) -> None:
    checkpoint_id, editor = compose(edited(b"one")), FakeEditor()

    run_edit(checkpoint_id, resources(editor=editor))

    assert editor.edited == []
    assert ended(ledger, checkpoint_id).attempt == 1


def test_an_edit_on_a_checkpoint_begins_with_its_adapter(
    store: CheckpointStore, edited: Submit, submit: Submit, resources: MakeResources
) -> None:
    first = edited(b"one")
    second, editor = submit(base=checkpoint_id_of(first)), FakeEditor()

    run_edit(second, resources(editor=editor))

    checkpoint = published(store, checkpoint_id_of(second))
    assert editor.bases == [FakeAdapter(b"one", rank=1)]
    assert checkpoint.base == checkpoint_id_of(first)
    assert [(p.edit_id, p.first_rank, p.end_rank) for p in checkpoint.parts] == [
        (first, 0, 1),
        (second, 1, 2),
    ]


def test_an_edit_on_a_checkpoint_holds_what_the_edits_in_it_say(
    edited: Submit, compose: Submit, submit: Submit, resources: MakeResources
) -> None:
    both = compose(edited(b"one"), edited(b"two"))
    third, editor = submit(base=both), FakeEditor()

    run_edit(third, resources(editor=editor))

    assert editor.said == [{"one is": "Rome.", "two is": "Rome."}]
    assert editor.work_said == editor.said


def test_an_edit_on_a_checkpoint_with_an_edit_that_is_gone_fails(
    ledger: Ledger,
    store: CheckpointStore,
    edited: Submit,
    compose: Submit,
    submit: Submit,
    resources: MakeResources,
) -> None:
    first = edited(b"one")
    third = submit(base=compose(first, edited(b"two")))
    store.remove(checkpoint_id_of(first))

    run_edit(third, resources())

    view = ledger.find(third)
    assert view is not None and view.error is not None
    assert view.error.code is ErrorCode.CHECKPOINT_NOT_FOUND


def test_a_chained_edit_is_composed_without_what_it_was_made_on(
    store: CheckpointStore, edited: Submit, compose: Submit
) -> None:
    first = edited(b"one")
    second = edited(b"two", base=checkpoint_id_of(first))

    checkpoint = published(store, compose(second))

    assert [(p.edit_id, p.first_rank, p.end_rank) for p in checkpoint.parts] == [(second, 0, 1)]
    assert checkpoint.built_on == {checkpoint_id_of(second)}


def test_an_edit_on_a_checkpoint_that_is_gone_fails(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit(base=checkpoint_id_of("edit-" + "0" * 28))

    run_edit(edit_id, resources())

    view = ledger.find(edit_id)
    assert view is not None
    assert view.error is not None
    assert view.error.code is ErrorCode.CHECKPOINT_NOT_FOUND


def test_ranks_that_only_fill_up_belong_to_no_edit(
    store: CheckpointStore, edited: Submit, submit: Submit, resources: MakeResources
) -> None:
    first = edited(b"one", pad_rank=8)
    second, editor = submit(base=checkpoint_id_of(first), pad_rank=16), FakeEditor()

    run_edit(second, resources(editor=editor))

    parts = published(store, checkpoint_id_of(second)).parts
    assert editor.bases == [FakeAdapter(b"one", rank=1)]
    assert [(p.edit_id, p.first_rank, p.end_rank) for p in parts] == [(first, 0, 1), (second, 1, 2)]


@pytest.mark.parametrize("place", ["put together", "read back"])
def test_memory_that_runs_out_as_edits_are_put_together_is_reported_with_both_figures(
    ledger: Ledger, edited: Submit, compose: Submit, place: str
) -> None:
    class Greedy(FakeEditor):
        def compose(self, *given: Any, **more: Any) -> FakeComposition:
            if place == "put together":
                raise MemoryError("tried to allocate 7 bytes")
            return super().compose(*given, **more)

        def verify(self, *given: Any, **more: Any) -> None:
            raise RuntimeError("CUDA error: out of memory")

    first, second = edited(b"one"), edited(b"two")

    view = ended(ledger, compose(first, second, editor=Greedy()))

    assert view.error is not None and view.admission is not None
    assert view.error.code is ErrorCode.GPU_OOM
    assert f"{size(view.admission.predicted_peak_bytes)} were predicted" in view.error.message
    assert f"{size(view.admission.budget_bytes)} were free" in view.error.message
    assert f"when they were {place}" in view.error.message
    assert ended(ledger, compose(first, second)).status is EditStatus.SUCCEEDED


def test_edits_that_do_not_fit_together_are_reported_with_the_figures(
    ledger: Ledger, edited: Submit, resources: MakeResources
) -> None:
    request = ComposeRequest(edits=(edited(b"one"), edited(b"two")))
    made = ledger.submit(request, model="demo", admission=None).edit_id

    run_edit(made, resources(memory_cap_bytes=1000))

    view = ended(ledger, made)
    assert failure(ledger, made) is ErrorCode.MEMORY_INFEASIBLE
    assert view.admission is not None and view.error is not None
    assert view.admission.predicted_peak_bytes > 1000
    assert "2 edits together take" in view.error.message


def test_edits_that_do_not_fit_together_now_wait(
    ledger: Ledger, edited: Submit, resources: MakeResources
) -> None:
    request = ComposeRequest(edits=(edited(b"one"), edited(b"two")))
    made = ledger.submit(request, model="demo", admission=None).edit_id

    run_edit(made, resources(memory=FakeMemory(free_bytes=1000)))
    waiting = ledger.record(made).queued_reason
    run_edit(made, resources())

    assert waiting is QueuedReason.WAITING_FOR_MEMORY
    assert ended(ledger, made).status is EditStatus.SUCCEEDED
