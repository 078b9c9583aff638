from collections.abc import Callable

import pytest
from redis import Redis

from contract.ledger.attempts import Attempt, AttemptLostError, Attempts, CancelAskedError
from contract.ledger.ledger import Ledger
from contract.wire.lifecycle import Phase
from contract.wire.views import Progress
from worker.attempt.progress import ProgressReporter
from worker.presence.activity import Activity


class Ticks:
    """A clock that stands still until it is set."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def attempts(redis: Redis) -> Attempts:
    return Attempts(redis, lease_s=30)


@pytest.fixture
def attempt(submit: Callable[..., str], attempts: Attempts) -> Attempt:
    attempt = attempts.claim(submit(), worker_id="here-1-aa")
    assert attempt is not None
    return attempt


def told(ledger: Ledger, edit_id: str) -> list[tuple[str, dict[str, object]]]:
    events = ledger.events(edit_id)
    return [(e.type, e.data) for e in events if e.type in ("phase", "progress")]


def test_progress_is_reported_five_times_a_second_at_most(
    ledger: Ledger, attempts: Attempts, attempt: Attempt
) -> None:
    clock = Ticks()
    narrate = ProgressReporter(attempt, attempts=attempts, activity=Activity(), monotonic=clock)

    narrate("collect", 1, 3)
    clock.now_s = 100.1
    narrate("collect", 2, 3)
    clock.now_s = 100.3
    narrate("collect", 3, 3)

    assert told(ledger, attempt.edit_id) == [
        ("phase", {"phase": "collect"}),
        ("progress", {"done": 1, "total": 3, "unit": "layers"}),
        ("progress", {"done": 3, "total": 3, "unit": "layers"}),
    ]


def test_a_new_phase_is_reported_at_once(
    ledger: Ledger, attempts: Attempts, attempt: Attempt
) -> None:
    narrate = ProgressReporter(attempt, attempts=attempts, activity=Activity(), monotonic=Ticks())

    narrate("collect", 1, 1)
    narrate("select", 1, 1)

    view = ledger.find(attempt.edit_id)
    assert view is not None
    assert (view.phase, view.progress) == (Phase.SELECT, None)


def test_the_record_shows_the_latest_progress(
    ledger: Ledger, attempts: Attempts, attempt: Attempt
) -> None:
    narrate = ProgressReporter(attempt, attempts=attempts, activity=Activity(), monotonic=Ticks())

    narrate("write", 2, 9)

    view = ledger.find(attempt.edit_id)
    assert view is not None
    assert view.progress == Progress(done=2, total=9, unit="steps")


def test_an_attempt_without_its_lease_is_stopped(
    ledger: Ledger, attempts: Attempts, attempt: Attempt
) -> None:
    activity = Activity()
    activity.lose(attempt)
    narrate = ProgressReporter(attempt, attempts=attempts, activity=activity)

    with pytest.raises(AttemptLostError):
        narrate("collect", 1, 1)

    assert told(ledger, attempt.edit_id) == []


def test_the_ledger_is_asked_five_times_a_second_at_most_whether_to_go_on(
    ledger: Ledger, attempts: Attempts, attempt: Attempt
) -> None:
    clock = Ticks()
    narrate = ProgressReporter(attempt, attempts=attempts, activity=Activity(), monotonic=clock)
    narrate.between()
    ledger.cancel(attempt.edit_id)

    clock.now_s = 100.1
    narrate.between()
    clock.now_s = 100.3

    with pytest.raises(CancelAskedError):
        narrate.between()
