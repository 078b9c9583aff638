"""How an attempt ends when another one is, or was, at the same edit."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from fake_editor import FakeEditor
from redis import Redis
from run_edits import FailingStore, MakeResources, Submit, error_of, found, overtake, raising

from contract.ledger.attempts import Attempt, Attempts
from contract.ledger.ledger import Ledger, names
from contract.store.errors import MissingStoreError, StoreFullError, WithheldError
from contract.store.settling import settle
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointView
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus, Outcome
from worker.attempt.time_limit import DeadlineExceededError, time_limit
from worker.tasks import run_edit


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


def test_a_finished_edit_holds_no_lease(
    redis: Redis, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()

    run_edit(edit_id, resources())

    assert not redis.exists(names.lease(edit_id))


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

    full = StoreFullError("No space left on device")
    run_edit(edit_id, resources(store=FailingStore(full)))

    assert error_of(found(ledger, edit_id)) == (EditStatus.FAILED, ErrorCode.STORE_FULL)


def canceled_and(then: Callable[[], None], ledger: Ledger, edit_id: str) -> Callable[[], None]:
    """What an edit does that is to be canceled while it is made, and goes on to this."""

    def act() -> None:
        ledger.cancel(edit_id)
        then()

    return act


@pytest.mark.parametrize("error", [ValueError("broke"), MemoryError(), DeadlineExceededError()])
def test_what_fails_after_it_was_to_be_canceled_is_canceled(
    redis: Redis, ledger: Ledger, submit: Submit, resources: MakeResources, error: Exception
) -> None:
    edit_id = submit()
    be_canceled_and_break = canceled_and(raising(error), ledger, edit_id)

    run_edit(edit_id, resources(editor=FakeEditor(during=be_canceled_and_break)))

    view = found(ledger, edit_id)
    assert (view.status, view.error) == (EditStatus.CANCELED, None)
    assert [event.type for event in ledger.events(edit_id)][-2:] == ["canceling", "canceled"]
    assert not redis.exists(names.lease(edit_id))


@pytest.mark.parametrize("error", [RuntimeError("CUDA error: unknown"), MissingStoreError("id")])
def test_what_would_be_begun_again_though_it_was_canceled_is_left_to_be_settled_at_once(
    redis: Redis,
    ledger: Ledger,
    store: CheckpointStore,
    submit: Submit,
    resources: MakeResources,
    error: Exception,
) -> None:
    edit_id = submit()
    be_canceled_and_break = canceled_and(raising(error), ledger, edit_id)

    with suppress(SystemExit):
        run_edit(edit_id, resources(editor=FakeEditor(during=be_canceled_and_break)))

    assert found(ledger, edit_id).status is EditStatus.CANCELING
    assert not redis.exists(names.lease(edit_id))
    settle(edit_id, attempts=Attempts(redis, lease_s=30), record_of=ledger.record, store=store)
    assert found(ledger, edit_id).status is EditStatus.CANCELED


def test_a_cancel_that_is_not_obeyed_before_the_deadline_is_one_all_the_same(
    ledger: Ledger, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit(deadline_s=1)
    be_canceled_and_hang = canceled_and(partial(time.sleep, 30), ledger, edit_id)

    editor = FakeEditor(during=be_canceled_and_hang)
    run_edit(edit_id, resources(deadline=partial(time_limit, 60), editor=editor))

    assert found(ledger, edit_id).status is EditStatus.CANCELED


def test_a_second_attempt_that_fails_though_it_was_canceled_leaves_nothing_to_publish(
    redis: Redis, ledger: Ledger, store: CheckpointStore, submit: Submit, resources: MakeResources
) -> None:
    edit_id = submit()
    Attempts(redis, lease_s=30).claim(edit_id, worker_id="there-2-bb")
    redis.delete(names.lease(edit_id))
    be_canceled_and_break = canceled_and(raising(ValueError()), ledger, edit_id)

    run_edit(edit_id, resources(editor=FakeEditor(during=be_canceled_and_break)))

    late = checkpoint_of(resources, submit, store).model_copy(
        update={"id": checkpoint_id_of(edit_id)}
    )
    assert found(ledger, edit_id).status is EditStatus.CANCELED
    with pytest.raises(WithheldError):
        store.commit(late)


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
