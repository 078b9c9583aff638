"""How far the formula is off on one machine."""

import pytest

from contract.admission.calibration import Calibration, MemoryProbe


def probes(*measured: tuple[int, int]) -> list[MemoryProbe]:
    return [
        MemoryProbe(
            method="paper",
            prompt_tokens=6,
            layers_per_pass=1,
            predicted_bytes=predicted,
            observed_bytes=observed,
            ratio=observed / predicted,
        )
        for predicted, observed in measured
    ]


@pytest.mark.parametrize(
    ("measured", "factor", "offset"),
    [
        ([(100, 50), (1000, 1000)], 1.0, 0),  # all that is predicted is enough
        ([(100, 50), (1000, 1090)], 1.1, 0),  # what grows is not
        ([(100, 100), (1000, 900)], 1.0, 0),  # never less than is predicted
        ([(100, 300), (1000, 1200)], 1.0, 200),  # a workspace, whatever the work
        ([(100, 300), (1000, 2100)], 2.0, 100),  # both
        ([(100, 100), (500, 800), (1000, 1000)], 1.0, 300),  # one between lies above the line
        ([(100, 130)], 1.0, 30),  # one alone has no slope
    ],
)
def test_the_line_lies_above_every_probe(
    measured: list[tuple[int, int]], factor: float, offset: int
) -> None:
    found = Calibration.of(probes(*measured))

    assert (found.factor, found.offset_bytes) == (pytest.approx(factor), offset)
    assert all(found.factor * p + found.offset_bytes >= o - 1e-6 for p, o in measured)


def test_what_may_be_predicted_leaves_room_for_what_comes_of_it() -> None:
    assert Calibration().predictable_bytes(1000) == 1000
    assert Calibration(factor=2.0, offset_bytes=100).predictable_bytes(1000) == 450
    assert Calibration(offset_bytes=100).predictable_bytes(50) == 0
