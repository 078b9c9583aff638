"""Attempts: claimed once, fenced, kept alive, and found again when they strand."""

import time
from collections.abc import Callable

import pytest
from redis import Redis

from contract.ledger.attempts import Attempt, AttemptLostError, Attempts, CancelAskedError
from contract.ledger.ledger import Ledger, names
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus, Phase, QueuedReason
from contract.wire.views import EditFailure, EditResult, EditView, Progress

FAILURE = EditFailure(code=ErrorCode.NO_NEURONS, message="none found", retryable=False)


def found(ledger: Ledger, edit_id: str) -> EditView:
    view = ledger.find(edit_id)
    assert view is not None
    return view


def claimed(attempts: Attempts, edit_id: str, *, worker_id: str = "w") -> Attempt:
    attempt = attempts.claim(edit_id, worker_id=worker_id)
    assert attempt is not None
    return attempt


def silence(redis: Redis, edit_id: str) -> None:
    """What the lease's time to live does to a worker that is dead or asleep."""
    redis.delete(names.lease(edit_id))


def test_a_claim_begins_the_first_attempt(ledger: Ledger, attempts: Attempts, edit_id: str) -> None:
    attempt = attempts.claim(edit_id, worker_id="w")

    view = found(ledger, edit_id)
    assert attempt == Attempt(edit_id, number=1, worker_id="w")
    assert (view.status, view.attempt) == (EditStatus.RUNNING, 1)
    assert view.started_at is not None
    assert [event.type for event in ledger.events(edit_id)] == ["queued", "started"]


def test_an_edit_that_is_held_cannot_be_claimed_by_another(
    attempts: Attempts, edit_id: str
) -> None:
    claimed(attempts, edit_id)

    assert attempts.claim(edit_id, worker_id="another") is None


def test_a_claim_that_is_asked_again_is_the_same_attempt(
    ledger: Ledger, attempts: Attempts, edit_id: str
) -> None:
    first = claimed(attempts, edit_id)

    again = claimed(attempts, edit_id)

    assert again == first
    assert [event.type for event in ledger.events(edit_id)] == ["queued", "started"]


def test_an_edit_whose_holder_fell_silent_is_claimed_anew(
    ledger: Ledger, attempts: Attempts, redis: Redis, edit_id: str
) -> None:
    claimed(attempts, edit_id)
    silence(redis, edit_id)

    attempt = claimed(attempts, edit_id, worker_id="another")

    assert attempt.number == 2
    assert found(ledger, edit_id).attempt == 2


def test_an_unknown_edit_cannot_be_claimed(attempts: Attempts) -> None:
    assert attempts.claim("edit-" + "0" * 28, worker_id="w") is None


def test_a_lease_ends_by_itself(brief_attempts: Attempts, redis: Redis, edit_id: str) -> None:
    claimed(brief_attempts, edit_id)

    while redis.exists(names.lease(edit_id)):
        time.sleep(0.01)

    assert claimed(brief_attempts, edit_id, worker_id="another").number == 2


def test_renewing_gives_the_lease_its_whole_time_again(
    attempts: Attempts, redis: Redis, edit_id: str
) -> None:
    attempt = claimed(attempts, edit_id)
    redis.pexpire(names.lease(edit_id), 10_000)

    assert attempts.renew(attempt) is True
    assert 50_000 < redis.pttl(names.lease(edit_id)) <= 60_000


def test_a_lease_that_ran_out_is_taken_again_while_the_attempt_stands(
    attempts: Attempts, redis: Redis, edit_id: str
) -> None:
    attempt = claimed(attempts, edit_id)
    silence(redis, edit_id)

    assert attempts.renew(attempt) is True
    assert attempts.claim(edit_id, worker_id="another") is None


def test_a_lease_is_not_taken_again_once_the_edit_was_found_stranded(
    ledger: Ledger, attempts: Attempts, redis: Redis, edit_id: str
) -> None:
    attempt = claimed(attempts, edit_id)
    silence(redis, edit_id)
    attempts.requeue_stranded("demo", ledger.queue("demo"))

    assert attempts.renew(attempt) is False


def test_the_lease_of_a_final_edit_is_not_renewed(
    attempts: Attempts, edit_id: str, result: EditResult
) -> None:
    attempt = claimed(attempts, edit_id)
    attempts.succeed(attempt, result, checkpoint_id=checkpoint_id_of(edit_id))

    assert attempts.renew(attempt) is False


def test_an_overtaken_attempt_cannot_renew_or_release_the_lease(
    attempts: Attempts, redis: Redis, edit_id: str
) -> None:
    first = claimed(attempts, edit_id)
    silence(redis, edit_id)
    second = claimed(attempts, edit_id, worker_id="another")

    attempts.release(first)

    assert attempts.renew(first) is False
    assert attempts.renew(second) is True


def test_a_released_edit_can_be_claimed(attempts: Attempts, edit_id: str) -> None:
    attempts.release(claimed(attempts, edit_id))

    assert claimed(attempts, edit_id).number == 2


@pytest.mark.parametrize(
    "write",
    [
        lambda attempts, attempt, result: attempts.enter(attempt, Phase.WRITE),
        lambda attempts, attempt, result: attempts.progress(
            attempt, Progress(done=1, total=2, unit="layers")
        ),
        lambda attempts, attempt, result: attempts.succeed(attempt, result, checkpoint_id="c"),
        lambda attempts, attempt, result: attempts.fail(attempt, FAILURE),
        lambda attempts, attempt, result: attempts.put_back(attempt, QueuedReason.RETRYING),
    ],
    ids=["enter", "progress", "succeed", "fail", "put_back"],
)
def test_an_overtaken_attempt_changes_nothing(
    ledger: Ledger,
    attempts: Attempts,
    redis: Redis,
    edit_id: str,
    result: EditResult,
    write: Callable[[Attempts, Attempt, EditResult], None],
) -> None:
    first = claimed(attempts, edit_id)
    silence(redis, edit_id)
    claimed(attempts, edit_id, worker_id="another")
    before = redis.hgetall(names.edit(edit_id))

    with pytest.raises(AttemptLostError, match="fenced"):
        write(attempts, first, result)

    assert redis.hgetall(names.edit(edit_id)) == before
    assert [event.type for event in ledger.events(edit_id)] == ["queued", "started", "started"]


def test_a_phase_and_its_progress_are_reported(
    ledger: Ledger, attempts: Attempts, edit_id: str
) -> None:
    attempt = claimed(attempts, edit_id)

    attempts.enter(attempt, Phase.COLLECT)
    attempts.progress(attempt, Progress(done=1, total=4, unit="layers"))
    collecting = found(ledger, edit_id)
    attempts.enter(attempt, Phase.SELECT)
    selecting = found(ledger, edit_id)

    assert collecting.phase is Phase.COLLECT
    assert collecting.progress == Progress(done=1, total=4, unit="layers")
    assert (selecting.phase, selecting.progress) == (Phase.SELECT, None)


def test_what_the_worker_admits_replaces_the_estimate(
    ledger: Ledger, attempts: Attempts, edit_id: str, admission: Admission
) -> None:
    attempt = claimed(attempts, edit_id)
    exact = admission.model_copy(update={"predicted_peak_bytes": 1234})

    attempts.admit(attempt, exact)

    assert found(ledger, edit_id).admission == exact


def test_a_success_tells_all_and_is_final(
    ledger: Ledger, attempts: Attempts, edit_id: str, result: EditResult
) -> None:
    attempt = claimed(attempts, edit_id)
    attempts.enter(attempt, Phase.PUBLISH)
    checkpoint_id = checkpoint_id_of(edit_id)

    attempts.succeed(attempt, result, checkpoint_id=checkpoint_id)

    view = found(ledger, edit_id)
    assert (view.status, view.outcome) == (EditStatus.SUCCEEDED, "held")
    assert (view.after, view.neurons) == ("Rome.", result.neurons)
    assert (view.checkpoint_id, view.phase, view.queue) == (checkpoint_id, None, None)
    assert view.finished_at is not None
    assert ledger.events(edit_id)[-1].data == {"outcome": "held", "checkpoint_id": checkpoint_id}


def test_a_failure_tells_why_and_is_final(ledger: Ledger, attempts: Attempts, edit_id: str) -> None:
    attempts.fail(claimed(attempts, edit_id), FAILURE)

    view = found(ledger, edit_id)
    assert (view.status, view.error) == (EditStatus.FAILED, FAILURE)
    assert ledger.events(edit_id)[-1].type == "failed"


def test_what_is_to_be_canceled_cannot_fail_any_more(
    ledger: Ledger, attempts: Attempts, redis: Redis, edit_id: str
) -> None:
    attempt = claimed(attempts, edit_id)
    ledger.cancel(edit_id)
    before = redis.hgetall(names.edit(edit_id))

    with pytest.raises(CancelAskedError):
        attempts.fail(attempt, FAILURE)

    assert redis.hgetall(names.edit(edit_id)) == before
    attempts.cancel(attempt)
    assert found(ledger, edit_id).status is EditStatus.CANCELED


def test_a_final_edit_stays_as_it_is(
    ledger: Ledger, attempts: Attempts, redis: Redis, edit_id: str, result: EditResult
) -> None:
    attempt = claimed(attempts, edit_id)
    attempts.succeed(attempt, result, checkpoint_id=checkpoint_id_of(edit_id))
    attempts.release(attempt)
    before = redis.hgetall(names.edit(edit_id))

    with pytest.raises(AttemptLostError, match="succeeded"):
        attempts.fail(attempt, FAILURE)
    with pytest.raises(AttemptLostError, match="succeeded"):
        attempts.succeed(attempt, result, checkpoint_id="another")
    with pytest.raises(AttemptLostError, match="succeeded"):
        attempts.progress(attempt, Progress(done=1, total=1, unit="layers"))

    assert attempts.claim(edit_id, worker_id="w") is None
    assert redis.hgetall(names.edit(edit_id)) == before


def test_an_edit_that_was_put_back_keeps_its_count(
    ledger: Ledger, attempts: Attempts, edit_id: str
) -> None:
    attempt = claimed(attempts, edit_id)

    attempts.put_back(attempt, QueuedReason.RETRYING)
    attempts.release(attempt)

    record = ledger.record(edit_id)
    assert record is not None
    assert (record.status, record.attempt) == (EditStatus.QUEUED, 1)
    assert record.queued_reason is QueuedReason.RETRYING
    assert claimed(attempts, edit_id).number == 2


def test_what_was_put_back_may_no_longer_be_written(
    attempts: Attempts, edit_id: str, result: EditResult
) -> None:
    attempt = claimed(attempts, edit_id)
    attempts.put_back(attempt, QueuedReason.RETRYING)

    with pytest.raises(AttemptLostError, match="queued"):
        attempts.succeed(attempt, result, checkpoint_id=checkpoint_id_of(edit_id))


def test_a_running_edit_that_nobody_holds_goes_back_to_the_head_of_the_line(
    ledger: Ledger,
    attempts: Attempts,
    redis: Redis,
    request_: EditRequest,
    admission: Admission,
) -> None:
    queue = ledger.queue("demo")
    lost, waiting = (
        ledger.submit(request_, model="demo", admission=admission).edit_id for _ in range(2)
    )
    redis.lrem("rq:queue:palimpsest:demo", 1, lost)  # as a worker takes it
    attempts.enter(claimed(attempts, lost), Phase.COLLECT)
    silence(redis, lost)

    requeued = attempts.requeue_stranded("demo", queue)

    record, view = ledger.record(lost), ledger.find(lost)
    assert record is not None and view is not None
    assert (view.phase, view.progress) == (None, None)
    assert requeued == [lost]
    assert queue.ids() == [lost, waiting]
    assert (record.status, record.queued_reason) == (EditStatus.QUEUED, QueuedReason.RETRYING)
    assert ledger.events(lost)[-1].type == "worker_lost"


def test_an_edit_that_a_live_worker_holds_is_left_alone(
    ledger: Ledger, attempts: Attempts, redis: Redis, edit_id: str
) -> None:
    redis.lrem("rq:queue:palimpsest:demo", 1, edit_id)
    claimed(attempts, edit_id)

    assert attempts.requeue_stranded("demo", ledger.queue("demo")) == []
    assert found(ledger, edit_id).status is EditStatus.RUNNING


def test_a_job_that_was_taken_and_never_begun_is_put_back_in_line(
    ledger: Ledger, attempts: Attempts, redis: Redis, edit_id: str
) -> None:
    queue = ledger.queue("demo")
    redis.lrem("rq:queue:palimpsest:demo", 1, edit_id)

    requeued = attempts.requeue_stranded("demo", queue)

    assert requeued == [edit_id]
    assert queue.ids() == [edit_id]


def test_nothing_is_put_in_line_twice(ledger: Ledger, attempts: Attempts, edit_id: str) -> None:
    queue = ledger.queue("demo")

    assert attempts.requeue_stranded("demo", queue) == []
    assert queue.ids() == [edit_id]


def test_an_edit_that_is_submitted_meanwhile_is_not_put_in_line_twice(
    ledger: Ledger,
    attempts: Attempts,
    redis: Redis,
    edit_id: str,
    request_: EditRequest,
    admission: Admission,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = ledger.queue("demo")
    redis.lrem("rq:queue:palimpsest:demo", 1, edit_id)
    look = queue.ids

    def look_just_before_a_submission() -> list[str]:
        seen = look()
        ledger.submit(request_, model="demo", admission=admission)
        return seen

    monkeypatch.setattr(queue, "ids", look_just_before_a_submission)
    assert attempts.requeue_stranded("demo", queue) == [edit_id]


def test_stranded_edits_keep_their_order(
    ledger: Ledger,
    attempts: Attempts,
    redis: Redis,
    request_: EditRequest,
    admission: Admission,
) -> None:
    ids = []
    for second in range(3):
        made = Ledger(redis, clock=lambda at=second: 1_900_000_000.0 + at)  # type: ignore[misc]
        ids.append(made.submit(request_, model="demo", admission=admission).edit_id)
    redis.delete("rq:queue:palimpsest:demo")

    requeued = attempts.requeue_stranded("demo", ledger.queue("demo"))

    assert requeued == ids
    assert ledger.queue("demo").ids() == ids
