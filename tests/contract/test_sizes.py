"""Sizes as a person reads them."""

from contract.sizes import size


def test_sizes_have_a_fitting_unit() -> None:
    assert [size(n) for n in (999, 1_500, 24_900_000, 13_500_000_000)] == [
        "999 B",
        "1.5 kB",
        "24.9 MB",
        "13.5 GB",
    ]
