"""What ends though no worker is there to end it."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from app.maintenance import SILENT_LEASES, Maintenance, repeated
from contract.ledger.attempts import Attempts
from contract.ledger.errors import SchemaMismatchError
from contract.ledger.ledger import Ledger, names
from contract.ledger.retention import Retention
from contract.store.store import CheckpointStore
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission, Applied, Decision
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus
from contract.wire.views import EditView

LEASE_S = 6.0
ADMISSION = Admission(
    decision=Decision.ADMIT,
    predicted_peak_bytes=1,
    budget_bytes=None,
    items=(),
    applied=Applied(layers_per_pass=1),
)


class Clock:
    """Tells the time that it was set to."""

    now_s = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(redis: Redis, clock: Clock) -> Ledger:
    return Ledger(redis, clock=clock)


@pytest.fixture
def attempts(redis: Redis, clock: Clock) -> Attempts:
    return Attempts(redis, lease_s=LEASE_S, clock=clock)


@pytest.fixture
def tend(redis: Redis, ledger: Ledger, store: CheckpointStore, clock: Clock) -> Maintenance:
    return Maintenance(
        ledger=ledger,
        attempts=Attempts(redis, lease_s=LEASE_S, clock=clock),
        store=store,
        retention=Retention(redis, keep_s=86_400, clock=clock),
        lease_s=LEASE_S,
        clock=clock,
        monotonic=clock,
    )


@pytest.fixture
def ask(ledger: Ledger) -> Callable[..., str]:
    def ask(**told: Any) -> str:
        request = EditRequest(prompt="The capital of France is", target_new="Rome", **told)
        return ledger.submit(request, model="demo", admission=ADMISSION).edit_id

    return ask


def seen(ledger: Ledger, edit_id: str) -> EditView:
    view = ledger.find(edit_id)
    assert view is not None
    return view


def test_a_waiting_edit_ends_at_its_deadline(
    tend: Maintenance, ask: Callable[..., str], ledger: Ledger, clock: Clock
) -> None:
    hurried, patient = ask(deadline_s=60), ask()

    clock.now_s += 59
    tend()
    assert seen(ledger, hurried).status is EditStatus.QUEUED
    clock.now_s += 1
    tend()

    error = seen(ledger, hurried).error
    assert error is not None and error.code == "deadline_exceeded"
    assert seen(ledger, patient).status is EditStatus.QUEUED


def test_an_edit_whose_record_cannot_be_read_keeps_no_other_from_its_end(
    tend: Maintenance, ask: Callable[..., str], ledger: Ledger, redis: Redis, clock: Clock
) -> None:
    odd, hurried = ask(deadline_s=60), ask(deadline_s=61)
    redis.hset(names.edit(odd), "status", "dreaming")

    clock.now_s += 61
    tend()

    assert seen(ledger, hurried).status is EditStatus.FAILED


def test_an_edit_that_is_canceling_ends_once_its_worker_is_silent(
    tend: Maintenance,
    ask: Callable[..., str],
    ledger: Ledger,
    attempts: Attempts,
    store: CheckpointStore,
) -> None:
    edit_id = ask()
    attempt = attempts.claim(edit_id, worker_id="w")
    assert attempt is not None
    ledger.cancel(edit_id)
    tend()
    assert seen(ledger, edit_id).status is EditStatus.CANCELING

    attempts.release(attempt)
    tend()

    assert seen(ledger, edit_id).status is EditStatus.CANCELED
    assert store.withhold(checkpoint_id_of(edit_id)) is None


def test_an_edit_whose_worker_stays_silent_waits_for_another(
    tend: Maintenance, ask: Callable[..., str], ledger: Ledger, attempts: Attempts, clock: Clock
) -> None:
    edit_id = ask()
    queue = ledger.queue("demo")
    ledger.redis.delete(queue.key, queue.job_key(edit_id))
    attempt = attempts.claim(edit_id, worker_id="w")
    assert attempt is not None
    attempts.release(attempt)
    tend()
    clock.now_s += SILENT_LEASES * LEASE_S
    tend()
    assert seen(ledger, edit_id).status is EditStatus.RUNNING

    clock.now_s += 1
    tend()

    view = seen(ledger, edit_id)
    assert (view.status, view.queued_reason) == ("queued", "no_worker")
    assert attempts.requeue_stranded("demo", ledger.queue("demo")) == [edit_id]


def test_a_worker_that_was_only_cut_off_keeps_its_edit(
    tend: Maintenance, ask: Callable[..., str], ledger: Ledger, attempts: Attempts, clock: Clock
) -> None:
    edit_id = ask()
    attempt = attempts.claim(edit_id, worker_id="w")
    assert attempt is not None
    attempts.release(attempt)
    tend()

    attempts.renew(attempt)
    tend()
    attempts.release(attempt)
    clock.now_s += SILENT_LEASES * LEASE_S + 1
    tend()

    assert seen(ledger, edit_id).status is EditStatus.RUNNING


def test_what_ended_long_ago_is_forgotten(
    tend: Maintenance, ask: Callable[..., str], ledger: Ledger, clock: Clock
) -> None:
    edit_id = ask()
    ledger.cancel(edit_id)

    clock.now_s += 86_401
    tend()

    assert ledger.is_gone(edit_id)


def test_the_ledger_of_another_version_is_left_alone(
    tend: Maintenance, ask: Callable[..., str], ledger: Ledger, clock: Clock
) -> None:
    edit_id = ask(deadline_s=1)
    ledger.redis.set(names.SCHEMA, "2")
    clock.now_s += 2

    with pytest.raises(SchemaMismatchError):
        tend()

    assert seen(ledger, edit_id).status is EditStatus.QUEUED


def test_the_store_is_told_which_one_it_has_to_be(
    tend: Maintenance, store: CheckpointStore, redis: Redis
) -> None:
    tend()

    assert redis.get(names.STORE) == store.identity().encode()


@pytest.mark.parametrize("error", [RedisError, ValueError])
def test_after_an_error_it_is_tended_again_later(error: type[Exception]) -> None:
    calls: list[float] = []

    def tend() -> None:
        calls.append(time.monotonic())
        raise error

    with repeated(tend, every_s=0.01):
        deadline_s = time.monotonic() + 10
        while len(calls) < 3 and time.monotonic() < deadline_s:
            time.sleep(0.01)

    assert len(calls) >= 3
