"""Whether, and how soon, a program is started again."""

import pytest

from palimpsest.local.restarts import Ending, GiveUp, Restart, after, manner


def _ending(
    returncode: int = 1, *, lived_s: float = 0.5, quick_deaths: int = 0, was_ready: bool = True
) -> Ending:
    return Ending(
        returncode=returncode, lived_s=lived_s, quick_deaths=quick_deaths, was_ready=was_ready
    )


def test_the_pause_doubles_from_a_fifth_of_a_second_to_five() -> None:
    pauses = [after(_ending(quick_deaths=deaths)) for deaths in range(7)]

    assert pauses == [
        Restart(0.2, 1),
        Restart(0.4, 2),
        Restart(0.8, 3),
        Restart(1.6, 4),
        Restart(2.0, 5),
        Restart(2.0, 6),
        Restart(2.0, 7),
    ]


def test_ten_seconds_of_life_reset_the_pause() -> None:
    assert after(_ending(quick_deaths=6, lived_s=9.9)) == Restart(2.0, 7)
    assert after(_ending(quick_deaths=6, lived_s=10.0)) == Restart(0.2, 1)


@pytest.mark.parametrize("returncode", [2, 64, 78])
def test_a_wrong_configuration_is_given_up_before_anything_worked(returncode: int) -> None:
    assert after(_ending(returncode, was_ready=False)) == GiveUp("its configuration is wrong")
    assert after(_ending(returncode, was_ready=True)) == Restart(0.2, 1)


def test_three_failures_before_anything_worked_are_enough_however_long_they_took() -> None:
    second = _ending(quick_deaths=1, lived_s=60.0, was_ready=False)
    third = _ending(quick_deaths=2, lived_s=60.0, was_ready=False)

    assert after(second) == Restart(0.4, 2)
    assert after(third) == GiveUp("it failed 3 times in a row")


def test_who_was_killed_did_not_fail() -> None:
    assert after(_ending(-9, quick_deaths=2, was_ready=False)) == Restart(0.8, 3)


def test_an_ending_is_reported_in_words() -> None:
    assert manner(3) == "exit code 3"
    assert manner(-9) == "signal 9"
