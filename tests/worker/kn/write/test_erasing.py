"""The operation `erase`."""

import copy
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from tiny_models import FAMILIES, Letters

from worker.kn import (
    Editor,
    EditRequest,
    EditResult,
    HParams,
    Method,
    Neuron,
    NothingToEraseError,
    Operation,
    Resident,
)
from worker.kn.collect.neuron import Scored
from worker.kn.write.adapter import Adapter
from worker.kn.write.erasing import erasing
from worker.kn.write.weights import edited

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
D_MODEL, D_FF = 32, 48


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 3, D_MODEL, D_FF])
def test_an_erased_column_is_exactly_zero_and_no_other_changes(dtype: torch.dtype, n: int) -> None:
    resident = _resident(dtype)
    expected = [block.down_weight.detach().clone() for block in resident.blocks]
    expected[0][:, 5] = 0
    expected[2][:, :n] = 0
    neurons = [Neuron(0, 5), *(Neuron(2, unit) for unit in range(n))]

    with edited(resident, _erased(resident, neurons)):
        found = [block.down_weight.detach().clone() for block in resident.blocks]

    assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [3, D_FF])
def test_peft_merges_an_erase_to_zero(dtype: torch.dtype, n: int, tmp_path: Path) -> None:
    resident = _resident(dtype)
    adapter = _erased(resident, [Neuron(1, unit) for unit in range(n)])
    for name, content in adapter.files("base").items():
        (tmp_path / name).write_bytes(content)

    peft = PeftModel.from_pretrained(copy.deepcopy(resident.model), tmp_path).merge_and_unload()

    merged = peft.state_dict()["model.layers.1.mlp.down_proj.weight"]
    assert torch.equal(merged[:, :n], torch.zeros(D_MODEL, n, dtype=dtype))
    assert torch.equal(merged[:, n:], resident.blocks[1].down_weight[:, n:])


def test_the_rank_is_no_more_than_the_neurons_of_a_layer_nor_the_width_of_the_model() -> None:
    resident = _resident(torch.float32)

    assert _erased(resident, [Neuron(0, 1), Neuron(1, 1), Neuron(1, 2)]).rank == 2
    assert _erased(resident, [Neuron(1, unit) for unit in range(D_FF)]).rank == D_MODEL


def test_an_erase_holds_only_where_the_models_own_answer_is_gone() -> None:
    prompts = ("Its name:", "The sea is", "Who?", "Zz")
    results = [
        _erase(prompt, ground_truth=None, max_neurons=n) for prompt in prompts for n in (1, 40)
    ]

    gone = [r.after[0].ids[:2] != r.before[0].ids[:2] for r in results]  # as many as " R" has

    assert [r.held for r in results] == gone
    assert set(gone) == {True, False}


def test_an_erase_holds_where_the_given_answer_is_not_said() -> None:
    assert _erase("Its name:", ground_truth="Paris", max_neurons=1).held


def test_a_model_that_says_nothing_has_nothing_to_erase() -> None:
    resident = _resident(torch.float32)
    request = EditRequest(prompt="Its name:", target_new="R", operation=Operation.ERASE)

    with pytest.raises(NothingToEraseError):
        Editor(_ending_at_once(resident), reference_prompts=["a"]).edit(request)


def _ending_at_once(resident: Resident) -> Resident:
    """Its head has end of text lead whatever is read."""
    head = resident.head
    head.bias = torch.nn.Parameter(torch.zeros(len(head.weight)))
    head.bias.data[resident.tokenizer.eos_token_id] = 1e4
    return resident


def _erase(prompt: str, *, ground_truth: str | None, max_neurons: int) -> EditResult:
    request = EditRequest(
        prompt=prompt,
        target_new="R",
        ground_truth=ground_truth,
        method=Method.PAPER,
        operation=Operation.ERASE,
        hparams=HParams(steps=4, adaptive_threshold=0.001, max_neurons=max_neurons),
    )
    return Editor(_resident(torch.float32), reference_prompts=["a"]).edit(request)


def _resident(dtype: torch.dtype) -> Resident:
    torch.manual_seed(0)
    return Resident.of(FAMILIES["llama-mha-untied"]().to(dtype), Letters())


def _erased(resident: Resident, neurons: list[Neuron]) -> Adapter:
    writes = erasing(resident, [Scored(neuron, 1.0) for neuron in neurons])
    return Adapter.of(writes, d_ff=D_FF, dtype=resident.dtype)
