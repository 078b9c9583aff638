"""Memory of preserving a long text where the vocabulary is small: predicted and observed."""

import pytest
import torch
from tiny_models import Letters
from transformers import LlamaConfig, LlamaForCausalLM

from worker.kn import Editor, EditRequest, HParams, Resident


@pytest.mark.parametrize("n_layer", [1, 3])
@pytest.mark.parametrize("d_ff", [256, 2048])
def test_preserving_a_long_text_is_predicted_by_its_feed_forwards(n_layer: int, d_ff: int) -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=131,
        hidden_size=64,
        intermediate_size=d_ff,
        num_hidden_layers=n_layer,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
    )
    resident = Resident.of(LlamaForCausalLM(config), Letters())
    editor = Editor(resident, reference_prompts=["a sea", "of words"])
    request = EditRequest(
        prompt="The capital is",
        target_new="R",
        protect_prompts=("x" * 200,),
        hparams=HParams(steps=2, max_neurons=8),
    )

    result = editor.edit(request)

    write = next(stage for stage in result.stages if stage.stage == "write")
    assert 0.99 <= write.predicted_bytes / write.observed_bytes <= 1.15
