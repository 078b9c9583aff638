"""What an edit on a base takes, and one whose rank is filled up: foretold beside observed."""

import pytest
import torch
from tiny_models import Letters
from transformers import LlamaConfig, LlamaForCausalLM

from contract.memory import estimate
from worker.kn import Editor, EditRequest, EditResult, HParams, Method, Resident
from worker.kn.errors import OverBudgetError

PAPER = EditRequest(
    prompt="The capital is",
    target_new="Rome",
    method=Method.PAPER,
    hparams=HParams(steps=5, adaptive_threshold=0.001, max_neurons=100),
)


@pytest.fixture(scope="module")
def editor() -> Editor:
    """Wide enough that columns are seen beside what every edit takes."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=200,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
    )
    resident = Resident.of(LlamaForCausalLM(config), Letters())
    return Editor(resident, reference_prompts=["a sea", "of words"])


@pytest.fixture(scope="module")
def base(editor: Editor) -> EditResult:
    hparams = HParams(steps=5, max_neurons=60)
    request = EditRequest(prompt="The river is", target_new="long", hparams=hparams)
    return editor.edit(request)


def peaks(result: EditResult) -> dict[str, float]:
    """Each stage's predicted by its observed bytes."""
    return {s.stage: s.predicted_bytes / s.observed_bytes for s in result.stages}


@pytest.mark.parametrize("pad_rank", [None, 64, 512])
@pytest.mark.parametrize("on_base", [False, True])
def test_what_is_foretold_is_enough_and_not_far_from_it(
    editor: Editor, base: EditResult, on_base: bool, pad_rank: int | None
) -> None:
    result = editor.edit(PAPER, base=base.adapter if on_base else None, pad_rank=pad_rank)

    ratio = result.predicted_peak_bytes / result.observed_peak_bytes
    assert 0.99 <= ratio <= 1.15, peaks(result)


def test_a_base_takes_its_columns_while_the_edit_is_made(editor: Editor, base: EditResult) -> None:
    alone = editor.workload(PAPER)
    work = editor.workload(PAPER, base=base.adapter)

    first, second = (
        estimate(editor.shape, asked, layers_per_pass=3).stages[0].n_bytes
        for asked in (alone, work)
    )

    assert second - first == 2 * len(base.adapter.neurons) * 128 * 4


def test_a_base_that_leaves_no_room_is_reported_before_anything_is_made(
    editor: Editor, base: EditResult
) -> None:
    alone = editor.edit(PAPER, layers_per_pass=1)
    budget = alone.predicted_peak_bytes
    before = editor.fingerprint()

    editor.edit(PAPER, layers_per_pass=1, budget_bytes=budget)
    with pytest.raises(OverBudgetError):
        editor.edit(PAPER, layers_per_pass=1, budget_bytes=budget, base=base.adapter)

    assert editor.fingerprint() == before
