"""The formula's bytes of a block against those of the families' own code, heads wide or not."""

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from contract.memory.block import kept_token_bytes, passing_bytes
from tests.support.tiny_models import SIZES, Letters
from worker.kn.memory.metering import StorageMeter
from worker.kn.model.resident import Resident

TOKENS = 60
DTYPES = (torch.float64, torch.float32, torch.bfloat16)
SHAPES: dict[str, dict[str, Any]] = {
    "wide-feed-forward": {"head_dim": 8, "num_key_value_heads": 2, "intermediate_size": 128},
    "wide-queries": {"head_dim": 32, "num_key_value_heads": 1, "intermediate_size": 16},
    "wide-keys": {"head_dim": 32, "num_key_value_heads": 4, "intermediate_size": 16},
    "narrow": {"head_dim": 4, "num_key_value_heads": 1, "intermediate_size": 8},
}
EVERY = pytest.mark.parametrize(
    ("family", "shape", "dtype"),
    [(f, s, d) for f in ("llama", "mistral", "qwen3") for s in SHAPES for d in DTYPES],
    ids=str,
)


def resident(family: str, shape: str, dtype: torch.dtype, *, layers: int) -> Resident:
    sizes = SIZES | SHAPES[shape] | {"num_hidden_layers": layers}
    if family == "mistral":
        sizes["sliding_window"] = None
    config = AutoConfig.for_model(family, **sizes)
    model = AutoModelForCausalLM.from_config(config, dtype=dtype).requires_grad_(False)
    return Resident.of(model, Letters())


@EVERY
@torch.no_grad()
def test_a_pass_over_a_prompt_takes_the_bytes_of_the_formula(
    family: str, shape: str, dtype: torch.dtype
) -> None:
    model = resident(family, shape, dtype, layers=3)

    with StorageMeter() as meter:
        ids = torch.tensor([list(range(3, 3 + TOKENS))])
        model.decoder(input_ids=ids, use_cache=False)

    predicted = passing_bytes(model.shape, TOKENS)
    assert predicted - 24 * TOKENS <= meter.peak_bytes <= predicted


def saved_bytes(model: Resident) -> int:
    """What is alive after a pass through which gradients will go back."""
    embedded = torch.randn(1, TOKENS, model.shape.d_model, dtype=model.dtype, requires_grad=True)
    with StorageMeter() as meter:
        result = model.decoder(inputs_embeds=embedded, use_cache=False)
        alive = meter.live_bytes
    del result
    return alive


@EVERY
def test_a_block_saves_the_bytes_of_the_formula_for_the_backward_pass(
    family: str, shape: str, dtype: torch.dtype
) -> None:
    two, four = (resident(family, shape, dtype, layers=n) for n in (2, 4))

    of_two_blocks = saved_bytes(four) - saved_bytes(two)

    assert of_two_blocks == 2 * TOKENS * kept_token_bytes(two.shape)
