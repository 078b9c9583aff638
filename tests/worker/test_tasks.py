import errno
import gc
import json
import logging
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from fake_editor import FakeEditor, FakeMemory
from redis import Redis
from redis.exceptions import ConnectionError
from rq.timeouts import JobTimeoutException

from contract import names
from contract.attempts import Attempt, Attempts
from contract.checkpoints import CheckpointFile, CheckpointView
from contract.edits import EditRequest
from contract.failures import ErrorCode
from contract.ids import checkpoint_id_of
from contract.ledger import Ledger
from contract.lifecycle import EditStatus, Outcome, Phase, QueuedReason
from contract.memory import estimate
from contract.origin import Origin
from contract.store import CheckpointStore, CorruptFileError, WithheldError
from contract.views import Admission, Applied, Decision, EditView, WorkerState
from worker.activity import Activity
from worker.failures import SERVICE_CODES
from worker.logs import configure
from worker.resources import Resources
from worker.tasks import run_edit
from worker.time_limit import time_limit

ADMISSION = Admission(
    decision=Decision.ADMIT,
    predicted_peak_bytes=0,
    budget_bytes=None,
    items=(),
    applied=Applied(layers_per_pass=2),
)
REQUEST = EditRequest(prompt="The capital of France is", target_new="Rome")
Submit = Callable[..., str]
MakeResources = Callable[..., Resources]


@dataclass
class FailingStore:
    """A store whose disk gives `error`."""

    error: Exception

    def withhold(self, checkpoint_id: str) -> None:
        raise self.error

    def put(self, path: str, content: bytes) -> CheckpointFile:
        raise self.error

    def read(self, file: CheckpointFile) -> bytes:
        raise self.error

    def commit(self, checkpoint: CheckpointView) -> CheckpointView:
        raise self.error

    def find(self, checkpoint_id: str) -> None:
        return None


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def found(ledger: Ledger, edit_id: str) -> EditView:
    view = ledger.find(edit_id)
    assert view is not None
    return view


def overtake(redis: Redis, edit_id: str) -> Attempt:
    """Let the lease run out, and another worker begin the edit."""
    redis.delete(names.lease(edit_id))
    attempt = Attempts(redis, lease_s=30).claim(edit_id, worker_id="there-2-bb")
    assert attempt is not None
    return attempt


def error_of(view: EditView) -> tuple[EditStatus, ErrorCode]:
    assert view.error is not None
    return view.status, view.error.code


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


def test_a_finished_edit_holds_no_lease(
    redis: Redis, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()

    run_edit(edit_id, resources())

    assert not redis.exists(names.lease(edit_id))


def test_a_final_edit_is_left_as_it_is(
    redis: Redis, submit: Submit, resources: MakeResources
) -> None:
    edit_id, editor = submit(), FakeEditor()
    run_edit(edit_id, resources())
    before = redis.hgetall(names.edit(edit_id)), redis.xlen(names.events(edit_id))

    run_edit(edit_id, resources(editor=editor))

    assert (redis.hgetall(names.edit(edit_id)), redis.xlen(names.events(edit_id))) == before
    assert editor.edited == []


def test_an_edit_that_another_worker_holds_is_left_to_it(
    redis: Redis, ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, editor = submit(), FakeEditor()
    Attempts(redis, lease_s=30).claim(edit_id, worker_id="there-2-bb")

    run_edit(edit_id, resources(editor=editor))

    assert (found(ledger, edit_id).status, editor.edited) == (EditStatus.RUNNING, [])


def test_an_unknown_edit_is_passed_over(resources: MakeResources) -> None:
    editor = FakeEditor()

    run_edit("edit-0123", resources(editor=editor))

    assert editor.edited == []


def test_a_checkpoint_that_stands_completes_the_edit_without_work(
    redis: Redis,
    ledger: Ledger,
    store: CheckpointStore,
    submit: Submit,
    resources: MakeResources,
) -> None:
    edit_id, editor = submit(), FakeEditor(outcome="not_held")
    run_edit(edit_id, resources(attempts=DyingAfterPublishing(redis, lease_s=30)))
    redis.delete(names.lease(edit_id))
    assert found(ledger, edit_id).status is EditStatus.RUNNING

    run_edit(edit_id, resources(editor=editor))

    view, checkpoint = found(ledger, edit_id), store.find(checkpoint_id_of(edit_id))
    assert checkpoint is not None
    assert (view.status, view.outcome, view.attempt) == (EditStatus.SUCCEEDED, Outcome.HELD, 2)
    assert (checkpoint.attempt, editor.edited) == (1, [])


class DyingAfterPublishing(Attempts):
    """Attempts of a worker that is gone when the edit is to succeed."""

    def succeed(self, attempt: Attempt, *_: Any, **__: Any) -> None:
        self.release(attempt)


def test_a_checkpoint_that_stands_counts_even_after_the_last_attempt(
    redis: Redis, ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()
    run_edit(edit_id, resources(attempts=DyingAfterPublishing(redis, lease_s=30)))

    run_edit(edit_id, resources(max_attempts=1))

    assert found(ledger, edit_id).status is EditStatus.SUCCEEDED


def test_an_edit_that_outlived_its_attempts_is_given_up(
    redis: Redis, ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, editor = submit(), FakeEditor()
    Attempts(redis, lease_s=30).claim(edit_id, worker_id="there-2-bb")
    redis.delete(names.lease(edit_id))

    run_edit(edit_id, resources(editor=editor, max_attempts=1))

    expected = (EditStatus.FAILED, ErrorCode.ATTEMPTS_EXHAUSTED)
    assert (error_of(found(ledger, edit_id)), editor.edited) == (expected, [])


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


def test_a_cap_on_the_memory_holds(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()

    run_edit(edit_id, resources(memory_cap_bytes=1))

    assert error_of(found(ledger, edit_id)) == (EditStatus.FAILED, ErrorCode.MEMORY_INFEASIBLE)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyError("spam"), ErrorCode.INTERNAL),
        (MemoryError(), ErrorCode.GPU_OOM),
        (JobTimeoutException("too long"), ErrorCode.TIMEOUT),
    ],
)
def test_an_edit_whose_work_breaks_fails_with_the_code_of_the_error(
    error: Exception, code: ErrorCode, ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()

    run_edit(edit_id, resources(editor=FakeEditor(during=raising(error))))

    assert error_of(found(ledger, edit_id)) == (EditStatus.FAILED, code)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), ErrorCode.STORE_FULL),
        (OSError(errno.EIO, "Input/output error", "/data/x"), ErrorCode.INTERNAL),
        (CorruptFileError("a", expected="1", found="2"), ErrorCode.STORE_CORRUPT),
    ],
)
def test_an_edit_that_cannot_be_stored_fails_with_the_code_of_the_error(
    error: Exception, code: ErrorCode, ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()

    run_edit(edit_id, resources(store=FailingStore(error)))

    view = found(ledger, edit_id)
    assert error_of(view) == (EditStatus.FAILED, code)
    assert view.error is not None and "/data" not in view.error.message


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

    assert error_of(found(ledger, edit_id)) == (EditStatus.FAILED, ErrorCode.DEADLINE_EXCEEDED)


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

    run_edit(edit_id, resources(editor=FakeEditor(on_verify=lambda: ledger.cancel(edit_id))))

    assert found(ledger, edit_id).status is EditStatus.CANCELED
    assert store.find(checkpoint_id_of(edit_id)) is None


def test_a_second_attempt_that_fails_sees_to_it_that_the_first_publishes_nothing(
    redis: Redis, ledger: Ledger, store: CheckpointStore, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()
    Attempts(redis, lease_s=30).claim(edit_id, worker_id="there-2-bb")
    redis.delete(names.lease(edit_id))

    run_edit(edit_id, resources(editor=FakeEditor(during=raising(MemoryError()))))

    assert error_of(found(ledger, edit_id)) == (EditStatus.FAILED, ErrorCode.GPU_OOM)
    assert store.withhold(checkpoint_id_of(edit_id)) is None
    late = checkpoint_of(resources, submit, store).model_copy(
        update={"id": checkpoint_id_of(edit_id)}
    )
    with pytest.raises(WithheldError):
        store.commit(late)


def checkpoint_of(
    resources: MakeResources, submit: Submit, store: CheckpointStore
) -> CheckpointView:
    """The checkpoint of some other edit."""
    edit_id = submit()
    run_edit(edit_id, resources())
    checkpoint = store.find(checkpoint_id_of(edit_id))
    assert checkpoint is not None
    return checkpoint


def test_an_edit_fails_all_the_same_when_the_store_takes_nothing(
    redis: Redis, ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()
    Attempts(redis, lease_s=30).claim(edit_id, worker_id="there-2-bb")
    redis.delete(names.lease(edit_id))

    full = OSError(errno.ENOSPC, "No space left on device", "/data/x")
    run_edit(edit_id, resources(store=FailingStore(full)))

    assert error_of(found(ledger, edit_id)) == (EditStatus.FAILED, ErrorCode.STORE_FULL)


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


def test_weights_that_changed_between_edits_let_none_begin(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, editor = submit(), FakeEditor()
    mine = resources(editor=editor)
    editor.weights = "changed"

    with pytest.raises(SystemExit):
        run_edit(edit_id, mine)

    assert (editor.edited, found(ledger, edit_id).status) == ([], EditStatus.QUEUED)


def test_weights_that_changed_in_an_edit_that_failed_end_the_process_too(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()
    editor = FakeEditor()

    def break_down() -> None:
        editor.weights = "changed"
        raise MemoryError

    editor.during = break_down

    with pytest.raises(SystemExit):
        run_edit(edit_id, resources(editor=editor))

    assert found(ledger, edit_id).status is EditStatus.QUEUED


def test_a_device_fault_hands_the_edit_back_and_ends_the_process(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, activity = submit(), Activity()
    fault = RuntimeError("CUDA error: device-side assert triggered")

    with pytest.raises(SystemExit) as leaving:
        run_edit(edit_id, resources(editor=FakeEditor(during=raising(fault)), activity=activity))

    view = found(ledger, edit_id)
    assert (leaving.value.code, view.status, view.attempt) == (70, EditStatus.QUEUED, 1)
    assert activity.state is not WorkerState.TAINTED


def test_an_edit_that_hung_before_is_not_tried_again(
    redis: Redis, ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, editor, attempts = submit(), FakeEditor(), Attempts(redis, lease_s=30)
    hung = attempts.claim(edit_id, worker_id="there-2-bb")
    assert hung is not None
    attempts.note_hang(hung)
    redis.delete(names.lease(edit_id))

    run_edit(edit_id, resources(editor=editor))

    expected = (EditStatus.FAILED, ErrorCode.TIMEOUT)
    assert (error_of(found(ledger, edit_id)), editor.edited) == (expected, [])


class Tensors:
    """Something large that only a broken edit's frames hold."""


@dataclass
class MemoryThatLooks(FakeMemory):
    """Notes whether the tensors are gone when memory is to be released."""

    tensors: list[weakref.ref[Tensors]] = field(default_factory=list)
    alive_at_release: bool = True

    def release(self) -> None:
        gc.collect()
        self.alive_at_release = self.tensors[0]() is not None


def test_nothing_holds_an_oom_edits_tensors_when_memory_is_released(
    submit: Submit, resources: MakeResources, caplog: pytest.LogCaptureFixture
) -> None:
    edit_id, memory = submit(), MemoryThatLooks()

    def run_out_of_memory() -> None:
        tensors = Tensors()
        memory.tensors.append(weakref.ref(tensors))
        raise MemoryError

    run_edit(edit_id, resources(editor=FakeEditor(during=run_out_of_memory), memory=memory))

    assert memory.alive_at_release is False


def test_an_overtaken_attempt_changes_nothing(
    redis: Redis,
    ledger: Ledger,
    store: CheckpointStore,
    submit: Submit,
    resources: MakeResources,
) -> None:
    edit_id = submit()
    left: dict[str, Any] = {}

    def be_overtaken() -> None:
        overtake(redis, edit_id)
        left["record"] = redis.hgetall(names.edit(edit_id))
        left["events"] = redis.xlen(names.events(edit_id))

    run_edit(edit_id, resources(editor=FakeEditor(during=be_overtaken)))

    assert redis.hgetall(names.edit(edit_id)) == left["record"]
    assert redis.xlen(names.events(edit_id)) == left["events"]
    assert redis.get(names.lease(edit_id)) == b"there-2-bb#2"
    assert store.find(checkpoint_id_of(edit_id)) is None


def test_an_overtaken_attempt_that_breaks_does_not_fail_the_edit(
    redis: Redis, ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()

    def be_overtaken_and_break() -> None:
        overtake(redis, edit_id)
        raise ValueError

    run_edit(edit_id, resources(editor=FakeEditor(during=be_overtaken_and_break)))

    view = found(ledger, edit_id)
    assert (view.status, view.attempt, view.error) == (EditStatus.RUNNING, 2, None)


def test_an_attempt_that_slept_past_its_lease_publishes_nothing(
    redis: Redis,
    ledger: Ledger,
    store: CheckpointStore,
    submit: Submit,
    resources: MakeResources,
) -> None:
    edit_id = submit()

    def oversleep() -> None:
        redis.delete(names.lease(edit_id))
        Attempts(redis, lease_s=6.0).claim(edit_id, worker_id="another")

    run_edit(edit_id, resources(editor=FakeEditor(during=oversleep)))

    assert found(ledger, edit_id).status is EditStatus.RUNNING
    assert store.find(checkpoint_id_of(edit_id)) is None


def test_an_attempt_whose_lease_the_heartbeat_lost_stops_at_the_next_pass(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, activity = submit(), Activity()

    def lose() -> None:
        assert activity.current is not None
        activity.lose(activity.current.attempt)

    run_edit(edit_id, resources(activity=activity, editor=FakeEditor(during=lose)))

    assert found(ledger, edit_id).phase is Phase.SELECT


def test_a_ledger_out_of_reach_leaves_the_edit_to_the_sweep(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()

    with pytest.raises(ConnectionError):
        run_edit(edit_id, resources(editor=FakeEditor(during=raising(ConnectionError()))))

    view = found(ledger, edit_id)
    assert (view.status, view.error) == (EditStatus.RUNNING, None)


def test_an_exit_in_the_middle_hands_the_edit_back_to_the_head_of_the_line(
    redis: Redis, ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, waiting = submit(), submit()
    redis.lrem("rq:queue:palimpsest:demo", 0, edit_id)

    with pytest.raises(SystemExit):
        run_edit(edit_id, resources(editor=FakeEditor(during=raising(SystemExit(1)))))

    view = found(ledger, edit_id)
    assert (view.status, view.attempt) == (EditStatus.QUEUED, 1)
    record = ledger.record(edit_id)
    assert record is not None and record.queued_reason is QueuedReason.RETRYING
    assert ledger.queue("demo").ids() == [edit_id, waiting]
    assert not redis.exists(names.lease(edit_id))


def test_finished_edits_are_counted_and_timed(submit: Submit, resources: MakeResources) -> None:
    edit_id, activity = submit(), Activity()

    run_edit(edit_id, resources(activity=activity))

    assert (activity.edits_done, activity.current) == (1, None)
    assert activity.mean_edit_s is not None


def test_an_internal_error_is_logged_with_its_traceback(
    submit: Submit, resources: MakeResources, caplog: pytest.LogCaptureFixture
) -> None:
    edit_id = submit()

    run_edit(edit_id, resources(editor=FakeEditor(during=raising(KeyError("spam")))))

    facts = {r.getMessage(): r.__dict__.get("facts", {}) for r in caplog.records}
    assert "KeyError: 'spam'" in facts["edit_broke"]["traceback"]


def test_each_line_in_an_edit_tells_its_edit_attempt_and_request(
    ledger: Ledger, resources: MakeResources
) -> None:
    origin = Origin(request_id="mine")
    edit_id = ledger.submit(REQUEST, model="demo", admission=ADMISSION, origin=origin).edit_id
    stream = StringIO()
    configure("INFO", stream=stream)
    during = partial(logging.getLogger("a.library").warning, "it happened")

    run_edit(edit_id, resources(editor=FakeEditor(during=during)))

    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in told] == ["edit_started", "it happened", "edit_succeeded"]
    for line in told:
        facts = (line["edit_id"], line["attempt"], line["request_id"])
        assert facts == (edit_id, 1, "mine")


def test_the_service_codes_can_be_joined_by_an_engines(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    class EngineError(Exception):
        """No neurons."""

    edit_id, codes = submit(), {**SERVICE_CODES, EngineError: ErrorCode.NO_NEURONS}

    run_edit(
        edit_id, resources(codes=codes, editor=FakeEditor(during=raising(EngineError("none"))))
    )

    view = found(ledger, edit_id)
    assert error_of(view) == (EditStatus.FAILED, ErrorCode.NO_NEURONS)
    assert view.error is not None and (view.error.message, view.error.retryable) == ("none", False)


def test_the_store_on_disk_holds_one_manifest_an_edit(
    tmp_path: Path, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()

    run_edit(edit_id, resources())

    assert [path.name for path in tmp_path.glob("manifests/*")] == [
        f"{checkpoint_id_of(edit_id)}.json"
    ]
