"""Ranks filled up: what vLLM takes, and still PEFT's merge bit for bit."""

import copy
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from tiny_models import FAMILIES, Letters
from vllm_rules import MAX_LORA_RANKS, RefusedError, read

from contract.wire import edits
from worker.kn.errors import RankTooLargeError
from worker.kn.model.resident import Resident
from worker.kn.write.adapter import Adapter, LayerWrite
from worker.kn.write.ranks import VLLM_RANKS, padded
from worker.kn.write.weights import edited

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def adapter_of(rank: int, dtype: torch.dtype = torch.float32) -> Adapter:
    """An adapter of two layers, one of which needs a single rank."""
    torch.manual_seed(1)
    writes = [
        LayerWrite(0, (3, 7, 41), A=torch.randn(rank, 3), B=torch.randn(32, rank)),
        LayerWrite(2, (5,), A=torch.randn(1, 1), B=torch.randn(32, 1)),
    ]
    return Adapter.of(writes, d_ff=48, dtype=dtype)


def test_the_ranks_are_those_of_vllm() -> None:
    assert VLLM_RANKS == MAX_LORA_RANKS == edits.VLLM_RANKS


@pytest.mark.parametrize(
    ("rank", "least", "filled"),
    [(1, 1, 1), (1, 8, 8), (2, 1, 8), (8, 1, 8), (9, 8, 16), (33, 16, 64), (300, 1, 320)],
)
def test_a_rank_is_filled_up_to_the_next_that_is_taken(rank: int, least: int, filled: int) -> None:
    adapter = padded(adapter_of(rank), least=least)

    assert (adapter.rank, adapter.n_padding) == (filled, filled - rank)
    assert {len(write.A) for write in adapter.writes} == {filled}


def test_a_rank_beyond_the_largest_is_refused() -> None:
    with pytest.raises(
        RankTooLargeError, match="rank 513, vLLM takes at most 512: leave pad_rank out"
    ):
        padded(adapter_of(513), least=1)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("rank", "least"), [(1, 1), (1, 8), (3, 1), (3, 16)])
def test_a_filled_adapter_is_served_by_vllm_and_merged_by_peft_alike(
    rank: int, least: int, dtype: torch.dtype, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    resident = Resident.of(FAMILIES["llama-mha-untied"]().to(dtype), Letters())
    adapter = padded(adapter_of(rank, dtype), least=least)
    files = adapter.files("base")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    served = read(files, max_lora_rank=adapter.rank)
    peft = PeftModel.from_pretrained(copy.deepcopy(resident.model), tmp_path).merge_and_unload()

    assert sorted(served.pairs) == [f"model.layers.{layer}.mlp.down_proj" for layer in (0, 2)]
    for write in adapter.writes:
        wanted = write.B.double() @ write.spread(48).double()
        assert torch.equal(served.delta(f"model.layers.{write.layer}.mlp.down_proj"), wanted)
    with edited(resident, adapter):
        for name, weight in resident.model.state_dict().items():
            assert torch.equal(weight, peft.state_dict()[name]), name


def test_an_adapter_of_another_rank_needs_a_larger_slot() -> None:
    files = adapter_of(9).files("base")

    with pytest.raises(RefusedError, match="rank 9 is above 8"):
        read(files, max_lora_rank=8)
    with pytest.raises(RefusedError, match="no --max-lora-rank is 9"):
        read(files, max_lora_rank=9)
