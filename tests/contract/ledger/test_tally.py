"""The memory of edits that ended, as it is counted."""

from math import inf
from typing import Any

import pytest
from redis import Redis

from contract.ledger import names
from contract.ledger.attempts import Attempt, AttemptLostError, Attempts
from contract.ledger.ledger import Ledger
from contract.ledger.tally import LATEST, Edited, Quantity, increments, read_latest, read_tally
from contract.wire.edits import EditRequest, Method
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.views import EditFailure, EditResult, MemoryView

DEMO = Edited("demo", "calibrated")
FAILURE = EditFailure(code=ErrorCode.NOT_HELD, message="no", retryable=False)


class Work:
    """Makes edits and begins them, a second apart."""

    def __init__(self, ledger: Ledger, attempts: Attempts, clock: Any) -> None:
        self._ledger, self._attempts, self._clock = ledger, attempts, clock

    def begin(self, request: EditRequest) -> Attempt:
        self._clock.now_s += 1
        edit_id = self._ledger.submit(request, model="demo", admission=None).edit_id
        attempt = self._attempts.claim(edit_id, worker_id="w")
        assert attempt is not None
        return attempt

    def finish(self, request: EditRequest, result: EditResult) -> str:
        attempt = self.begin(request)
        checkpoint_id = checkpoint_id_of(attempt.edit_id)
        self._attempts.succeed(attempt, result, checkpoint_id=checkpoint_id)
        return attempt.edit_id


@pytest.fixture
def work(ledger: Ledger, attempts: Attempts, clock: Any) -> Work:
    return Work(ledger, attempts, clock)


def test_a_value_on_a_bound_lies_below_it() -> None:
    at_bound = MemoryView(predicted_peak_bytes=4 * 2**20, observed_peak_bytes=4 * 2**20)

    assert increments(DEMO, at_bound) == {
        '["demo", "calibrated", "predicted_bytes", "4194304.0"]': 1,
        '["demo", "calibrated", "predicted_bytes", "sum"]': 4194304,
        '["demo", "calibrated", "observed_bytes", "4194304.0"]': 1,
        '["demo", "calibrated", "observed_bytes", "sum"]': 4194304,
        '["demo", "calibrated", "ratio", "1.0"]': 1,
        '["demo", "calibrated", "ratio", "sum"]': 1,
    }


def test_what_was_not_measured_has_no_ratio() -> None:
    unmeasured = MemoryView(predicted_peak_bytes=5, observed_peak_bytes=None)

    assert len(increments(DEMO, unmeasured)) == 2


def test_an_edit_is_counted_once_when_it_ends(
    redis: Redis, attempts: Attempts, work: Work, request_: EditRequest, result: EditResult
) -> None:
    attempt = work.begin(request_)

    before = read_tally(redis)[Quantity.RATIO]
    attempts.succeed(attempt, result, checkpoint_id="ckpt-1")
    with pytest.raises(AttemptLostError):
        attempts.succeed(attempt, result, checkpoint_id="ckpt-1")

    assert before == {}
    assert read_tally(redis)[Quantity.RATIO][DEMO].up_to[inf] == 1


def test_buckets_add_up(
    redis: Redis, work: Work, request_: EditRequest, result: EditResult
) -> None:
    for observed in (40, 95, 100, 300):
        memory = MemoryView(predicted_peak_bytes=100, observed_peak_bytes=observed)
        work.finish(request_, result.model_copy(update={"memory": memory}))

    ratio = read_tally(redis)[Quantity.RATIO][DEMO]
    counts = [ratio.up_to[bound] for bound in (0.25, 0.5, 0.97, 1.0, 1.5, inf)]
    assert counts == [0, 1, 2, 3, 3, 4]
    assert ratio.total == pytest.approx(5.35)


def test_an_edit_that_failed_with_a_result_is_counted_too(
    redis: Redis, attempts: Attempts, work: Work, request_: EditRequest, result: EditResult
) -> None:
    attempt = work.begin(request_)

    attempts.fail(attempt, FAILURE, result=result)

    assert read_tally(redis)[Quantity.OBSERVED_BYTES][DEMO].up_to[inf] == 1
    assert [one.edit_id for one in read_latest(redis)] == [attempt.edit_id]


def test_an_edit_that_failed_without_one_is_not(
    redis: Redis, attempts: Attempts, work: Work, request_: EditRequest
) -> None:
    attempts.fail(work.begin(request_), FAILURE)

    assert read_tally(redis)[Quantity.PREDICTED_BYTES] == {}
    assert read_latest(redis) == []


def test_the_latest_come_newest_first_and_are_few(
    redis: Redis, work: Work, request_: EditRequest, result: EditResult
) -> None:
    paper = request_.model_copy(update={"method": Method.PAPER})
    ended = [work.finish(paper, result) for _ in range(LATEST + 2)]

    latest = read_latest(redis)

    assert [one.edit_id for one in latest] == ended[:1:-1]
    assert latest[0].edited == Edited("demo", "paper")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("garbage", "1"),
        ("\xff", "1"),
        ('["demo"]', "1"),
        ("7", "1"),
        ('["demo", "paper", "colour", "sum"]', "1"),
        ('[["demo"], "paper", "ratio", "sum"]', "1"),
        ('["demo", "paper", "ratio", ["sum"]]', "1"),
        ('["demo", "paper", "ratio", "sum"]', "many"),
        ('["demo", "paper", "ratio", "1.0"]', "nan"),
    ],
)
def test_what_cannot_be_read_of_a_tally_hides_nothing_else(
    redis: Redis, work: Work, request_: EditRequest, result: EditResult, field: str, value: str
) -> None:
    work.finish(request_, result)
    redis.hset(names.TALLY, field.encode("latin-1"), value)

    tally = read_tally(redis)

    assert tally[Quantity.PREDICTED_BYTES][DEMO].up_to[inf] == 1


@pytest.mark.parametrize("part", ["request", "result"])
def test_a_record_that_cannot_be_read_hides_no_other(
    redis: Redis, work: Work, request_: EditRequest, result: EditResult, part: str
) -> None:
    damaged, sound = work.finish(request_, result), work.finish(request_, result)
    redis.hset(names.edit(damaged), part, "[")

    assert [one.edit_id for one in read_latest(redis)] == [sound]
