import pytest

from contract.ledger.attempts import Attempt
from contract.wire.serving import WorkerState
from worker.presence.activity import Activity, moving_average

ATTEMPT = Attempt("edit-1", 1, "here")


def test_a_worker_is_busy_while_it_holds_an_attempt() -> None:
    activity = Activity()

    with activity.holding(ATTEMPT):
        during = activity.state

    assert (during, activity.state) == (WorkerState.BUSY, WorkerState.IDLE)


def test_a_draining_worker_says_so_even_while_it_works() -> None:
    activity = Activity()
    activity.drain()

    with activity.holding(ATTEMPT):
        assert activity.state is WorkerState.DRAINING


def test_an_attempt_that_does_not_end_the_edit_is_not_counted() -> None:
    activity = Activity()

    with activity.holding(ATTEMPT):
        pass
    with pytest.raises(ValueError), activity.holding(ATTEMPT):
        raise ValueError

    assert (activity.edits_done, activity.mean_edit_s, activity.current) == (0, None, None)


def test_the_first_edit_sets_the_mean_and_later_ones_move_it_by_a_fifth() -> None:
    ticks = iter([0.0, 10.0, 10.0, 30.0])
    activity = Activity(monotonic=lambda: next(ticks))

    for _ in range(2):
        with activity.holding(ATTEMPT):
            activity.ended()

    assert (activity.edits_done, activity.mean_edit_s) == (2, 12.0)


def test_the_mean_of_one_is_itself() -> None:
    assert moving_average(None, latest=4.0) == 4.0


def test_only_the_attempt_that_was_lost_is_lost() -> None:
    activity = Activity()

    activity.lose(ATTEMPT)

    assert activity.has_lost(ATTEMPT)
    assert not activity.has_lost(Attempt("edit-1", 2, "here"))
