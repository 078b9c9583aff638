"""What an attempt makes of an edit, and under which conditions it is published."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fake_editor import FakeEditor, FakeMemory, FakeResult
from run_edits import MakeResources, Submit, error_of, found, raising

from contract.ledger.ledger import Ledger
from contract.ledger.origin import Origin
from contract.memory import estimate
from contract.store.errors import CorruptFileError
from contract.store.settling import LATE
from contract.store.store import CheckpointStore
from contract.wire.estimates import Admission, Decision
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus, Outcome, Phase
from contract.wire.serving import WorkerState
from worker.attempt.fitting import LOWERED
from worker.attempt.progress import CHECK_EVERY_S
from worker.attempt.time_limit import time_limit
from worker.presence.activity import Activity
from worker.tasks import run_edit


def test_an_edit_is_published_and_succeeds(
    ledger: Ledger, store: CheckpointStore, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()

    run_edit(edit_id, resources())

    view = found(ledger, edit_id)
    checkpoint = store.find(checkpoint_id_of(edit_id))
    assert checkpoint is not None
    assert (view.status, view.outcome) == (EditStatus.SUCCEEDED, Outcome.HELD)
    assert (view.before, view.after, view.attempt) == ("Paris", "Rome", 1)
    assert view.checkpoint_id == checkpoint.id
    assert [file.path for file in checkpoint.files] == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert store.read(checkpoint.files[1]) == b"weights"
    assert (checkpoint.model, checkpoint.base_digest) == ("demo", "b" * 64)
    assert checkpoint.request.prompt == "The capital of France is"


def test_what_a_key_made_is_published_with_the_key_s_digest(
    ledger: Ledger, store: CheckpointStore, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit(origin=Origin(idempotency_key="k"))
    record = ledger.record(edit_id)

    run_edit(edit_id, resources())

    checkpoint = store.find(checkpoint_id_of(edit_id))
    assert record is not None
    assert record.idempotency is not None
    assert checkpoint is not None
    assert checkpoint.idempotency == record.idempotency


def test_what_is_verified_is_what_was_stored(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    editor = FakeEditor()

    run_edit(submit(), resources(editor=editor))

    assert [files["adapter_model.safetensors"] for files in editor.verified] == [b"weights"]


def test_an_edit_that_does_not_verify_fails_and_has_no_checkpoint(
    ledger: Ledger, store: CheckpointStore, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()

    error = CorruptFileError("adapter", expected="a", found="b")
    run_edit(edit_id, resources(editor=FakeEditor(on_verify=raising(error))))

    assert error_of(found(ledger, edit_id)) == (EditStatus.FAILED, ErrorCode.STORE_CORRUPT)
    assert store.find(checkpoint_id_of(edit_id)) is None


def test_each_step_is_an_event(ledger: Ledger, submit: Submit, resources: MakeResources) -> None:
    edit_id = submit()

    run_edit(edit_id, resources())

    events = [event for event in ledger.events(edit_id) if event.type != "progress"]
    steps = [event.data.get("phase", event.type) for event in events]
    phases = ["collect", "select", "write", "evaluate", "publish", "succeeded"]
    assert steps == ["queued", "started", "admit", "admission", *phases]


def test_the_store_on_disk_holds_one_manifest_an_edit(
    tmp_path: Path, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()

    run_edit(edit_id, resources())

    assert [path.name for path in tmp_path.glob("manifests/*")] == [
        f"{checkpoint_id_of(edit_id)}.json"
    ]


def test_an_edit_that_does_not_hold_succeeds_with_that_outcome(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()

    run_edit(edit_id, resources(editor=FakeEditor(outcome="not_held")))

    view = found(ledger, edit_id)
    assert (view.status, view.outcome) == (EditStatus.SUCCEEDED, Outcome.NOT_HELD)


def test_an_edit_that_has_to_hold_and_does_not_fails_unpublished_with_its_result(
    ledger: Ledger, store: CheckpointStore, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit(require_held=True)

    run_edit(edit_id, resources(editor=FakeEditor(outcome="not_held")))

    view = found(ledger, edit_id)
    assert error_of(view) == (EditStatus.FAILED, ErrorCode.NOT_HELD)
    assert (view.outcome, view.after) == (Outcome.NOT_HELD, "Rome")
    assert (view.checkpoint_id, store.find(checkpoint_id_of(edit_id))) == (None, None)


def test_an_edit_that_cannot_fit_is_refused_with_what_was_counted(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, editor = submit(), FakeEditor()

    run_edit(edit_id, resources(editor=editor, memory_cap_bytes=1000))

    view = found(ledger, edit_id)
    assert error_of(view) == (EditStatus.FAILED, ErrorCode.MEMORY_INFEASIBLE)
    assert view.admission is not None
    assert (view.admission.budget_bytes, editor.edited) == (1000, [])


def test_all_layers_ride_in_one_pass_where_there_is_room(
    submit: Submit, resources: MakeResources
) -> None:
    edit_id, editor = submit(), FakeEditor()

    run_edit(edit_id, resources(editor=editor))

    assert editor.layers_per_pass == [2]


def test_one_layer_a_pass_rides_where_there_is_room_for_one(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, editor = submit(), FakeEditor()
    room_for_one = estimate(editor.shape, editor.workload({}), layers_per_pass=1).peak_bytes

    run_edit(edit_id, resources(editor=editor, memory_cap_bytes=room_for_one))

    admission = found(ledger, edit_id).admission
    assert admission is not None and admission.decision is Decision.ADMIT_REDUCED
    assert editor.layers_per_pass == [1]


class CrowdedEditor(FakeEditor):
    """Others take memory while it edits."""

    def edit(
        self, request: Mapping[str, Any], *, lowered: Callable[[int], None], **given: Any
    ) -> FakeResult:
        lowered(1)
        return super().edit(request, **given)


def test_fewer_layers_are_reported_when_it_happens(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()
    told: list[Admission | None] = []
    editor = CrowdedEditor(during=lambda: told.append(found(ledger, edit_id).admission))

    run_edit(edit_id, resources(editor=editor))

    (running,) = told
    assert running is not None and running == found(ledger, edit_id).admission
    assert (running.decision, running.applied.layers_per_pass) == (Decision.ADMIT_REDUCED, 1)
    assert running.reasons == (LOWERED,)


def test_a_cap_on_the_memory_holds(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()

    run_edit(edit_id, resources(memory_cap_bytes=1))

    assert error_of(found(ledger, edit_id)) == (EditStatus.FAILED, ErrorCode.MEMORY_INFEASIBLE)


def test_a_real_alarm_ends_an_edit_that_takes_too_long(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()
    limit = partial(time_limit, 1)

    run_edit(edit_id, resources(deadline=limit, editor=FakeEditor(during=partial(time.sleep, 30))))

    assert error_of(found(ledger, edit_id)) == (EditStatus.FAILED, ErrorCode.TIMEOUT)


def test_an_edit_whose_deadline_passed_in_the_queue_is_not_begun(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, editor = submit(deadline_s=60), FakeEditor()
    in_two_minutes = time.time() + 120

    run_edit(
        edit_id,
        resources(deadline=partial(time_limit, 60), editor=editor, clock=lambda: in_two_minutes),
    )

    expected = (EditStatus.FAILED, ErrorCode.DEADLINE_EXCEEDED)
    assert (error_of(found(ledger, edit_id)), editor.edited) == (expected, [])


def test_a_deadline_ends_an_edit_in_work(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit(deadline_s=1)
    editor = FakeEditor(during=partial(time.sleep, 30))

    run_edit(edit_id, resources(deadline=partial(time_limit, 60), editor=editor))

    view = found(ledger, edit_id)
    assert (view.status, view.error) == (EditStatus.FAILED, LATE)


def test_an_edit_that_is_to_be_canceled_stops_at_the_next_pass(
    ledger: Ledger, store: CheckpointStore, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()
    editor = FakeEditor(during=lambda: ledger.cancel(edit_id))
    memory = FakeMemory()

    run_edit(edit_id, resources(editor=editor, memory=memory))

    events = [event.type for event in ledger.events(edit_id)]
    assert found(ledger, edit_id).status is EditStatus.CANCELED
    assert events[-2:] == ["canceling", "canceled"]
    assert store.find(checkpoint_id_of(edit_id)) is None
    assert memory.released == 1


def test_an_edit_that_is_canceled_while_it_is_stored_is_not_published(
    ledger: Ledger, store: CheckpointStore, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()

    def cancel() -> None:
        ledger.cancel(edit_id)
        time.sleep(CHECK_EVERY_S)

    editor = FakeEditor(on_verify=cancel)
    run_edit(edit_id, resources(editor=editor))

    assert found(ledger, edit_id).status is EditStatus.CANCELED
    assert (store.find(checkpoint_id_of(edit_id)), editor.verified) == (None, [])


class Tainted(FakeEditor):
    """Its weights are others from the middle of the edit on."""

    def __init__(self, **told: Any) -> None:
        super().__init__(during=self.taint, **told)

    def taint(self) -> None:
        self.weights = "changed"


def test_weights_that_changed_in_an_edit_publish_nothing_and_end_the_process(
    ledger: Ledger, store: CheckpointStore, submit: Submit, resources: MakeResources
) -> None:
    edit_id, activity = submit(), Activity()

    with pytest.raises(SystemExit) as leaving:
        run_edit(edit_id, resources(editor=Tainted(), activity=activity))

    view = found(ledger, edit_id)
    assert leaving.value.code == 70
    assert activity.state is WorkerState.TAINTED
    assert view.status is EditStatus.QUEUED
    assert store.find(checkpoint_id_of(edit_id)) is None
    assert ledger.queue("demo").ids()[0] == edit_id


def test_weights_that_changed_in_an_edit_that_does_not_hold_are_noticed_before_it_is_reported(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit(require_held=True)

    with pytest.raises(SystemExit):
        run_edit(edit_id, resources(editor=Tainted(outcome="not_held")))

    assert found(ledger, edit_id).status is EditStatus.QUEUED


def test_weights_that_changed_between_edits_let_none_begin(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, editor = submit(), FakeEditor()
    mine = resources(editor=editor)
    editor.weights = "changed"

    with pytest.raises(SystemExit):
        run_edit(edit_id, mine)

    assert (editor.edited, found(ledger, edit_id).status) == ([], EditStatus.QUEUED)


def test_an_attempt_whose_lease_the_heartbeat_lost_stops_at_the_next_pass(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, activity = submit(), Activity()

    def lose() -> None:
        assert activity.current is not None
        activity.lose(activity.current.attempt)

    run_edit(edit_id, resources(activity=activity, editor=FakeEditor(during=lose)))

    assert found(ledger, edit_id).phase is Phase.SELECT
