"""An edit, from its job to its end."""

import gc
import json
import logging
import weakref
from dataclasses import dataclass, field
from functools import partial
from io import StringIO

import pytest
from fake_editor import FakeEditor, FakeMemory
from redis import Redis
from redis.exceptions import ConnectionError
from rq.timeouts import JobTimeoutException
from run_edits import FailingStore, MakeResources, Submit, error_of, found, raising

from contract.ledger.attempts import Attempts
from contract.ledger.ledger import Ledger, names
from contract.ledger.origin import Origin
from contract.logs import configure
from contract.store.errors import CorruptFileError, StoreFullError, StoreUnavailableError
from contract.wire.failures import ErrorCode
from contract.wire.lifecycle import EditStatus, QueuedReason
from contract.wire.serving import WorkerState
from worker.attempt.failures import SERVICE_CODES
from worker.presence.activity import Activity
from worker.tasks import run_edit


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


def test_an_edit_that_outlived_its_attempts_is_given_up(
    redis: Redis, ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, editor = submit(), FakeEditor()
    Attempts(redis, lease_s=30).claim(edit_id, worker_id="there-2-bb")
    redis.delete(names.lease(edit_id))

    run_edit(edit_id, resources(editor=editor, max_attempts=1))

    expected = (EditStatus.FAILED, ErrorCode.ATTEMPTS_EXHAUSTED)
    assert (error_of(found(ledger, edit_id)), editor.edited) == (expected, [])


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
        (StoreFullError("No space left on device"), ErrorCode.STORE_FULL),
        (StoreUnavailableError("Input/output error"), ErrorCode.STORE_UNAVAILABLE),
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
    submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit(origin=Origin(request_id="mine"))
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


def test_a_request_of_a_later_version_fails_as_one_that_cannot_be_understood(
    redis: Redis, ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id, editor = submit(), FakeEditor()
    record = ledger.record(edit_id)
    assert record is not None
    later = json.loads(record.fields["request"]) | {"haste": 1}
    redis.hset(names.edit(edit_id), "request", json.dumps(later))

    run_edit(edit_id, resources(editor=editor))

    view = found(ledger, edit_id)
    assert error_of(view) == (EditStatus.FAILED, ErrorCode.INVALID_REQUEST)
    assert view.error is not None
    assert "does not know: haste" in view.error.message
    assert editor.edited == []
