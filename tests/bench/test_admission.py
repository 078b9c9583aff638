"""The bench of admission: its house decides, runs, and sees by force what was too little."""

from pathlib import Path

import pytest
from redis import Redis

from bench.admission import MIB, House, editor, figures_of, sabotaged
from bench.held import HeldEditor
from contract.wire.edits import EditRequest, HParams, Method

REQUEST = EditRequest(
    prompt="The capital of France is",
    target_new="Rome",
    ground_truth="Paris",
    method=Method.PAPER,
    hparams=HParams(steps=5),
)


@pytest.fixture(scope="module")
def held() -> HeldEditor:
    return editor()


def house(held: HeldEditor, redis_url: str, directory: Path, *, budget: int) -> House:
    held.held_to_bytes, held.out_of_memory = budget, 0
    return House(Redis.from_url(redis_url), directory, held, budget)


def test_what_fits_is_made_within_its_budget(
    held: HeldEditor, redis_url: str, tmp_path: Path
) -> None:
    row = house(held, redis_url, tmp_path, budget=32 * MIB).run(REQUEST)

    assert (row["decision"], row["code"], row["out_of_memory"]) == ("admit", None, 0)


def test_a_reduced_one_has_all_the_layers_that_fit(
    held: HeldEditor, redis_url: str, tmp_path: Path
) -> None:
    row = house(held, redis_url, tmp_path, budget=2_300_000).run(REQUEST)

    assert (row["decision"], row["out_of_memory"]) == ("admit_reduced", 0)
    assert not row["reduced_though_it_fits"]


def test_a_formula_that_counts_too_little_is_found_out(
    held: HeldEditor, redis_url: str, tmp_path: Path
) -> None:
    with sabotaged("rows"):
        row = house(held, redis_url, tmp_path, budget=2_300_000).run(REQUEST)

    assert row["out_of_memory"] > 0
    assert not figures_of([row], sabotage="rows")["holds"]
