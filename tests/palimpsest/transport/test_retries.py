"""When a call is tried again."""

from datetime import UTC, datetime

import pytest

from palimpsest.transport.retries import NEVER, Retries, retry_after_s

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def test_pauses_double_up_to_the_cap_and_then_end() -> None:
    retries = Retries(most=5, base_s=0.5, cap_s=3.0)

    pauses = [retries.pause_s(failures) for failures in range(1, 7)]

    assert pauses == [0.5, 1.0, 2.0, 3.0, 3.0, None]


def test_jitter_takes_away_up_to_half() -> None:
    assert Retries(base_s=2.0).pause_s(1, jitter=0.0) == 1.0
    assert Retries(base_s=2.0).pause_s(1, jitter=0.5) == 1.5


def test_the_service_may_ask_for_a_longer_pause_but_not_for_any() -> None:
    retries = Retries(base_s=0.5, longest_retry_after_s=60.0)

    assert retries.pause_s(1, retry_after_s=7.0) == 7.0
    assert retries.pause_s(1, retry_after_s=0.0) == 0.5
    assert retries.pause_s(1, retry_after_s=9999.0) == 60.0


def test_never_is_never() -> None:
    assert NEVER.pause_s(1) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Fri, 02 Jan 2026 12:01:30 GMT", 90.0),
        ("Fri, 02 Jan 2026 11:59:00 GMT", 0.0),
        ("Fri, 02 Jan 2026 12:01:30 -0000", 90.0),
        ("soon", None),
        ("Fri, 02 Jan 2026 12:01:30 +99999999999999", None),
        ("-3", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, now=NOON) == seconds
