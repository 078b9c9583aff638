"""Intervals, against values worked out by hand."""

import pytest

from bench.figures.intervals import bootstrap, wilson


def test_wilsons_interval_of_eight_in_ten() -> None:
    # z² = 3.8415: (0.8 + 0.1921 ± 1.96 · √(0.016 + 0.0096)) / 1.3841
    assert wilson([True] * 8 + [False] * 2) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)


def test_wilsons_interval_of_a_perfect_rate_is_no_point() -> None:
    # n / (n + z²) below, 1 above.
    assert wilson([True] * 200) == pytest.approx((1.0, 200 / 203.8415, 1.0), abs=1e-6)


def test_the_bootstrap_spreads_as_the_mean_of_edits_does() -> None:
    # 50 of each: σ of the mean is √(0.25 / 100) = 0.05.
    found = bootstrap([0.0, 1.0] * 50)

    assert found == pytest.approx((0.5, 0.402, 0.598), abs=0.02)


def test_equal_edits_leave_the_bootstrap_no_room() -> None:
    assert bootstrap([0.75] * 10) == (0.75, 0.75, 0.75)
