"""EasyEdit's walk along what the model says: what it takes is foretold, and held to the budget."""

from typing import Any

import pytest
import torch
from tiny_models import Letters
from transformers import LlamaConfig, LlamaForCausalLM

from worker.kn import Editor, EditRequest, HParams, Method, Operation, Resident
from worker.kn.errors import OverBudgetError

REQUEST = EditRequest(
    prompt="the sea is",
    target_new="as blue as it was before",
    ground_truth="o",
    method=Method.EASYEDIT,
    hparams=HParams(steps=1, adaptive_threshold=0.9),
)


class Growing(Letters):
    """What the model says comes back as forty tokens each time."""

    def decode(self, ids: Any, /, **_: Any) -> str:
        return "grows" * 8


def editor_of(letters: type[Letters]) -> Editor:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=131,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        initializer_range=0.3,
        max_position_embeddings=2048,
    )
    resident = Resident.of(LlamaForCausalLM(config), letters())
    return Editor(resident, reference_prompts=["a sea", "of words"])


@pytest.mark.parametrize(
    ("letters", "most"),
    [(Growing, 1.1), (Letters, 1.6)],  # tokens that come back as nothing are foretold all the same
)
def test_the_walk_along_the_new_answer_is_foretold(letters: type[Letters], most: float) -> None:
    result = editor_of(letters).edit(REQUEST)

    (write,) = (stage for stage in result.stages if stage.stage == "write")
    assert write.observed_bytes is not None
    assert 1 <= write.predicted_bytes / write.observed_bytes <= most


def test_a_walk_that_outgrows_the_budget_is_ended_before_it_does() -> None:
    editor = editor_of(Growing)
    whole = editor.edit(REQUEST)
    write = next(stage for stage in whole.stages if stage.stage == "write")
    assert write.predicted_bytes == whole.predicted_peak_bytes

    with pytest.raises(OverBudgetError):
        editor.edit(REQUEST, budget_bytes=write.predicted_bytes - 1)


def test_an_erase_walks_along_no_new_answer() -> None:
    erase = EditRequest(
        prompt="the sea is", target_new="x", method=Method.EASYEDIT, operation=Operation.ERASE
    )
    editor = editor_of(Letters)

    assert (editor.workload(REQUEST).walked, editor.workload(erase).walked) == (35, 0)
