"""The bench of admission: it decides, runs, and finds out what was too little."""

from pathlib import Path

import pytest
from redis import Redis

from bench.admission.budgeted_editor import BudgetedEditor
from bench.admission.byte_llama import budgeted_editor
from bench.admission.figures import figures_of
from bench.admission.sabotage import sabotaged
from bench.admission.trial import MIB, Trial
from contract.wire.edits import EditRequest, HParams, Method

REQUEST = EditRequest(
    prompt="The capital of France is",
    target_new="Rome",
    ground_truth="Paris",
    method=Method.PAPER,
    hparams=HParams(steps=5),
)


@pytest.fixture(scope="module")
def editor() -> BudgetedEditor:
    return budgeted_editor()


def trial(editor: BudgetedEditor, redis_url: str, directory: Path, *, budget: int) -> Trial:
    editor.allowed_bytes, editor.out_of_memory = budget, 0
    return Trial(Redis.from_url(redis_url), directory, editor, budget)


def test_what_fits_is_made_within_its_budget(
    editor: BudgetedEditor, redis_url: str, tmp_path: Path
) -> None:
    row = trial(editor, redis_url, tmp_path, budget=32 * MIB).run(REQUEST)

    assert (row["decision"], row["code"], row["out_of_memory"]) == ("admit", None, 0)


def test_a_reduced_one_has_all_the_layers_that_fit(
    editor: BudgetedEditor, redis_url: str, tmp_path: Path
) -> None:
    row = trial(editor, redis_url, tmp_path, budget=2_300_000).run(REQUEST)

    assert (row["decision"], row["out_of_memory"]) == ("admit_reduced", 0)
    assert not row["reduced_though_it_fits"]


def test_a_formula_that_counts_too_little_is_found_out(
    editor: BudgetedEditor, redis_url: str, tmp_path: Path
) -> None:
    with sabotaged("rows"):
        row = trial(editor, redis_url, tmp_path, budget=2_300_000).run(REQUEST)

    assert row["out_of_memory"] > 0
    assert not figures_of([row], sabotage="rows")["holds"]
