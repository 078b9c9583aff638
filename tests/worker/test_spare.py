"""A worker that waits until it is needed."""

from io import StringIO

import pytest

from worker.spare import wait_until_needed


@pytest.mark.parametrize(
    ("argv", "told", "needed"),
    [
        (("worker",), "", True),
        (("worker", "--spare"), "begin\n", True),
        (("worker", "--spare"), "", False),
    ],
)
def test_a_spare_worker_begins_when_it_is_told_to(
    argv: tuple[str, ...], told: str, needed: bool
) -> None:
    assert wait_until_needed(argv, StringIO(told)) is needed
