"""What is forgotten, and when."""

from typing import Protocol

import pytest
from redis import Redis

from contract.ledger.attempts import Attempt, Attempts
from contract.ledger.ledger import Ledger, names
from contract.ledger.record import EditRecord
from contract.ledger.retention import Retention
from contract.store.settling import expire, settle
from contract.wire.checkpoints import CheckpointView
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus
from contract.wire.views import EditFailure, EditResult

DAY_S = 86_400
FAILURE = EditFailure(code=ErrorCode.INTERNAL, message="spam", retryable=True)


class Clock(Protocol):
    now_s: float

    def __call__(self) -> float: ...


class Withheld:
    """A store in which nothing stands, or one checkpoint."""

    def __init__(self, standing: CheckpointView | None = None) -> None:
        self.standing = standing
        self.asked: list[str] = []

    def withhold(self, checkpoint_id: str) -> CheckpointView | None:
        self.asked.append(checkpoint_id)
        return self.standing


@pytest.fixture
def retention(redis: Redis, clock: Clock) -> Retention:
    return Retention(redis, keep_s=DAY_S, clock=clock)


@pytest.fixture
def late_id(ledger: Ledger, request_: EditRequest, admission: Admission) -> str:
    """An edit that waits and has a minute."""
    hurried = request_.model_copy(update={"deadline_s": 60})
    return ledger.submit(hurried, model="demo", admission=admission).edit_id


def end(attempts: Attempts, edit_id: str, result: EditResult, status: EditStatus) -> None:
    attempt = attempts.claim(edit_id, worker_id="w")
    assert attempt is not None
    if status is EditStatus.SUCCEEDED:
        attempts.succeed(attempt, result, checkpoint_id=checkpoint_id_of(edit_id))
    else:
        attempts.fail(attempt, FAILURE)
    attempts.release(attempt)


@pytest.mark.parametrize("status", [EditStatus.SUCCEEDED, EditStatus.FAILED, EditStatus.CANCELED])
def test_an_edit_is_forgotten_a_day_after_it_ended(
    redis: Redis,
    ledger: Ledger,
    attempts: Attempts,
    retention: Retention,
    clock: Clock,
    edit_id: str,
    result: EditResult,
    status: EditStatus,
) -> None:
    clock.now_s += DAY_S  # it waited that long
    if status is EditStatus.CANCELED:
        ledger.cancel(edit_id)
    else:
        end(attempts, edit_id, result, status)
        queue = ledger.queue("demo")
        redis.delete(queue.key, queue.job_key(edit_id))

    clock.now_s += DAY_S
    assert (retention.forget_old(), ledger.is_gone(edit_id)) == (0, False)
    clock.now_s += 1
    assert (retention.forget_old(), ledger.is_gone(edit_id)) == (1, True)

    assert ledger.find(edit_id) is None
    assert ledger.page().items == ledger.page(model="demo", status=status).items == ()
    left = {key.decode() for key in redis.keys("palimpsest:*")}
    assert left - {names.TALLY} == {names.gone(edit_id), names.SCHEMA}
    assert redis.ttl(names.gone(edit_id)) == DAY_S


def test_what_has_not_ended_is_never_forgotten(
    ledger: Ledger, retention: Retention, clock: Clock, edit_id: str
) -> None:
    clock.now_s += 1000 * DAY_S

    assert retention.forget_old() == 0
    assert ledger.find(edit_id) is not None


def test_the_oldest_are_forgotten_first_and_not_all_at_once(
    ledger: Ledger,
    attempts: Attempts,
    retention: Retention,
    clock: Clock,
    request_: EditRequest,
    admission: Admission,
    result: EditResult,
) -> None:
    made = []
    for _ in range(3):
        edit_id = ledger.submit(request_, model="demo", admission=admission).edit_id
        end(attempts, edit_id, result, EditStatus.SUCCEEDED)
        made.append(edit_id)
        clock.now_s += 1
    clock.now_s += DAY_S

    assert retention.forget_old(most=2) == 2
    assert [edit.id for edit in ledger.page().items] == made[2:]


def test_an_edit_that_waited_past_its_deadline_fails(
    ledger: Ledger, attempts: Attempts, clock: Clock, late_id: str
) -> None:
    store = Withheld()
    clock.now_s += 59
    assert attempts.overdue(clock.now_s) == []
    clock.now_s += 1
    assert attempts.overdue(clock.now_s) == [late_id]

    expire(late_id, attempts=attempts, record_of=ledger.record, store=store)

    view = ledger.find(late_id)
    assert view is not None and view.error is not None
    assert (view.status, view.error.code) == ("failed", ErrorCode.DEADLINE_EXCEEDED)
    assert (attempts.overdue(clock.now_s), store.asked) == ([], [])
    assert attempts.claim(late_id, worker_id="w") is None


def test_an_edit_in_work_past_its_deadline_is_left_to_its_worker(
    ledger: Ledger, attempts: Attempts, clock: Clock, late_id: str
) -> None:
    attempts.claim(late_id, worker_id="w")
    clock.now_s += 60

    expire(late_id, attempts=attempts, record_of=ledger.record, store=Withheld())

    record = ledger.record(late_id)
    assert record is not None and record.status is EditStatus.RUNNING
    assert attempts.overdue(clock.now_s) == [late_id]


def test_an_edit_past_its_deadline_whose_worker_fell_silent_fails_and_is_never_published(
    ledger: Ledger, attempts: Attempts, clock: Clock, late_id: str
) -> None:
    attempt = attempts.claim(late_id, worker_id="w")
    assert attempt is not None
    attempts.release(attempt)
    clock.now_s += 60
    store = Withheld()

    expire(late_id, attempts=attempts, record_of=ledger.record, store=store)

    view = ledger.find(late_id)
    assert view is not None and view.error is not None
    assert (view.status, view.error.code) == ("failed", ErrorCode.DEADLINE_EXCEEDED)
    assert (attempts.overdue(clock.now_s), store.asked) == ([], [checkpoint_id_of(late_id)])


def test_an_edit_whose_worker_fell_silent_after_publishing_is_not_late(
    ledger: Ledger, attempts: Attempts, clock: Clock, late_id: str, checkpoint: CheckpointView
) -> None:
    attempt = attempts.claim(late_id, worker_id="w")
    assert attempt is not None
    attempts.release(attempt)
    clock.now_s += 60

    expire(late_id, attempts=attempts, record_of=ledger.record, store=Withheld(checkpoint))

    view = ledger.find(late_id)
    assert view is not None
    assert (view.status, view.checkpoint_id) == ("succeeded", checkpoint.id)


def test_an_edit_that_was_published_before_its_deadline_passed_is_not_late(
    ledger: Ledger,
    brief_attempts: Attempts,
    clock: Clock,
    late_id: str,
    checkpoint: CheckpointView,
) -> None:
    attempt = brief_attempts.claim(late_id, worker_id="w")
    assert attempt is not None
    brief_attempts.release(attempt)
    brief_attempts.requeue_stranded("demo", ledger.queue("demo"))
    clock.now_s += 60
    store = Withheld(standing=checkpoint)

    expire(late_id, attempts=brief_attempts, record_of=ledger.record, store=store)

    record = ledger.record(late_id)
    assert record is not None and record.status is EditStatus.QUEUED  # a worker completes it
    assert store.asked == [checkpoint_id_of(late_id)]


def test_a_cancel_is_settled_once_though_two_try(
    ledger: Ledger, attempts: Attempts, edit_id: str
) -> None:
    attempt = attempts.claim(edit_id, worker_id="w")
    assert attempt is not None
    ledger.cancel(edit_id)

    def stale(_: str) -> EditRecord | None:
        return EditRecord({"id": edit_id, "status": "canceling", "attempt": "1"})

    settle(edit_id, attempts=attempts, record_of=ledger.record, store=Withheld())
    assert ledger.record(edit_id).status is EditStatus.CANCELING  # its worker is alive

    attempts.release(Attempt(edit_id, 1, "w"))
    settle(edit_id, attempts=attempts, record_of=ledger.record, store=Withheld())
    settle(edit_id, attempts=attempts, record_of=stale, store=Withheld())

    types = [event.type for event in ledger.events(edit_id)]
    assert types == ["queued", "started", "canceling", "canceled"]
