"""For how long a call is tried."""

from collections.abc import Callable

import httpx
import pytest

from palimpsest.errors import UnavailableError, UnreachableError
from palimpsest.transport.retries import Retries
from palimpsest.transport.retry_state import RetryState

SILENT = httpx.ReadTimeout("timed out", request=httpx.Request("GET", "http://service/edits"))
GOOD = httpx.Response(200)


class Clock:
    """Stands still until it is moved."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def trials(
    clock: Clock, *, timeout_s: float = 4.0, held_s: float = 0.0, most: int = 99
) -> RetryState:
    policy = Retries(most=most, base_s=1.0, cap_s=1.0, longest_s=10.0)
    return RetryState(policy, timeout_s=timeout_s, held_s=held_s, jitter=lambda: 1.0, clock=clock)


def test_nothing_is_tried_once_no_answer_came_for_too_long(clock: Clock) -> None:
    tried = trials(clock)

    pauses = []
    for now_s in (104.0, 108.9):
        clock.now_s = now_s
        pauses.append(tried.pause_after(SILENT))

    clock.now_s = 109.0
    with pytest.raises(UnreachableError, match="no answer from http://service: timed out"):
        tried.pause_after(SILENT)
    assert pauses == [1.0, 1.0]


def test_a_service_that_cannot_work_is_not_waited_for_longer(
    clock: Clock, a_problem: Callable[..., httpx.Response]
) -> None:
    tried, hung = trials(clock), a_problem(503, "ledger_unavailable", headers={"Retry-After": "2"})

    clock.now_s = 107.0
    assert tried.pause_after(hung) == 2.0
    clock.now_s = 108.0
    with pytest.raises(UnavailableError):
        tried.pause_after(hung)


def test_a_busy_service_has_answered_and_is_waited_for_as_it_asks(
    clock: Clock, a_problem: Callable[..., httpx.Response]
) -> None:
    tried, full = trials(clock), a_problem(429, "queue_full", headers={"Retry-After": "30"})

    for now_s in (100.0, 130.0, 160.0):
        clock.now_s = now_s
        assert tried.pause_after(full) == 30.0
    clock.now_s = 190.0
    assert tried.pause_after(SILENT) == 1.0


def test_what_breaks_off_is_silent_only_from_then_on(clock: Clock) -> None:
    tried = trials(clock, most=1)

    tried.answered()
    clock.now_s = 500.0

    assert tried.pause_after(SILENT) == 1.0
    with pytest.raises(UnreachableError):
        tried.pause_after(SILENT)


def test_each_line_of_a_feed_begins_anew(clock: Clock) -> None:
    tried = trials(clock, most=1)

    for now_s in (200.0, 300.0, 400.0):
        clock.now_s = now_s
        tried.heard()
        assert tried.pause_after(SILENT) == 1.0
    assert tried.pause_after(GOOD) == 1.0


@pytest.mark.parametrize(
    ("after_s", "timeout_s"), [(0.0, 4.0), (6.0, 4.0), (6.5, 3.5), (9.0, 3.0), (60.0, 3.0)]
)
def test_a_try_takes_what_is_left_but_is_given_time_to_be_answered(
    clock: Clock, after_s: float, timeout_s: float
) -> None:
    tried = trials(clock)
    tried.pause_after(SILENT)

    clock.now_s += after_s

    assert tried.timeout_s == timeout_s


def test_the_time_that_an_answer_is_held_back_is_no_silence(clock: Clock) -> None:
    tried = trials(clock, held_s=20.0)

    assert tried.timeout_s == 24.0
    clock.now_s = 124.0
    assert tried.pause_after(SILENT) == 1.0


def test_who_allows_one_try_to_take_longer_is_patient_for_as_long(clock: Clock) -> None:
    tried = trials(clock, timeout_s=60.0)

    assert tried.timeout_s == 60.0
    clock.now_s = 120.0
    assert tried.pause_after(SILENT) == 1.0
