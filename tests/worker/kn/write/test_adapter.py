"""Adapters against PEFT itself."""

import copy
import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from tiny_models import FAMILIES, Letters

from worker.kn.errors import BadRequestError, NoChangeError, NonFiniteError
from worker.kn.model.resident import Resident
from worker.kn.write.adapter import Adapter, LayerWrite
from worker.kn.write.ranks import padded
from worker.kn.write.weights import Columns, edited, edited_columns

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", [1, 3])
def test_the_edited_model_is_what_peft_merges(
    dtype: torch.dtype, rank: int, tmp_path: Path
) -> None:
    model = _resident(dtype)
    pristine = copy.deepcopy(model.model)
    adapter = _adapter(dtype, rank)
    for name, content in adapter.files("base").items():
        (tmp_path / name).write_bytes(content)

    peft = PeftModel.from_pretrained(pristine, tmp_path).merge_and_unload()

    with edited(model, adapter):
        for name, weight in model.model.state_dict().items():
            assert torch.equal(weight, peft.state_dict()[name]), name


def test_peft_finds_every_key_it_expects(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    for name, content in _adapter(torch.float32, 1).files("base").items():
        (tmp_path / name).write_bytes(content)

    PeftModel.from_pretrained(_resident(torch.float32).model, tmp_path)

    assert [str(w.message) for w in recwarn if "key" in str(w.message)] == []


def test_writes_of_fewer_directions_are_padded_to_one_rank() -> None:
    one = LayerWrite(0, (1,), A=torch.ones(1, 1), B=torch.ones(32, 1))
    two = LayerWrite(2, (4, 5), A=torch.ones(2, 2), B=torch.ones(32, 2))

    adapter = Adapter.of([two, one], d_ff=48, dtype=torch.float32)

    assert [tuple(w.A.shape) for w in adapter.writes] == [(2, 1), (2, 2)]
    config = json.loads(adapter.files("base")["adapter_config.json"])
    assert (config["r"], config["lora_alpha"]) == (2, 2)
    assert config["layers_to_transform"] == [0, 2]


@pytest.mark.parametrize("skew", [1e-9, 1e9])
def test_a_write_whose_scale_is_all_in_one_factor_is_held_by_float16(skew: float) -> None:
    torch.manual_seed(0)
    A, B = torch.randn(1, 2), torch.randn(32, 1) / 100

    skewed = Adapter.of(
        [LayerWrite(0, (1, 2), A=A * skew, B=B / skew)], d_ff=48, dtype=torch.float16
    )

    (write,) = skewed.writes
    assert torch.allclose(skewed.delta(write), B @ A, rtol=2e-3, atol=1e-7)


def test_balancing_changes_no_product_that_is_in_range() -> None:
    torch.manual_seed(0)
    A, B = torch.randn(1, 3) * 1000, torch.randn(32, 1) / 1000

    adapter = Adapter.of([LayerWrite(0, (1, 2, 5), A=A, B=B)], d_ff=48, dtype=torch.bfloat16)

    rounded = B.bfloat16().float() @ A.bfloat16().float()
    assert torch.equal(adapter.delta(adapter.writes[0]), rounded)


def test_weights_are_put_back_bit_for_bit_after_an_exception() -> None:
    model = _resident(torch.bfloat16)
    before = copy.deepcopy(model.model.state_dict())

    with pytest.raises(RuntimeError, match="in between"), edited(model, _adapter(model.dtype, 2)):
        raise RuntimeError("in between")

    for name, weight in model.model.state_dict().items():
        assert torch.equal(weight, before[name]), name


@pytest.mark.parametrize("struck", [1, 2])
@pytest.mark.parametrize("done", [False, True])
def test_weights_are_put_back_though_that_is_interrupted(
    monkeypatch: pytest.MonkeyPatch, *, struck: int, done: bool
) -> None:
    model = _resident(torch.bfloat16)
    before = copy.deepcopy(model.model.state_dict())
    put_back, calls = Columns.put_back, iter(range(1, 9))

    def interrupted(columns: Columns) -> None:
        strikes = next(calls) == struck
        if done or not strikes:
            put_back(columns)
        if strikes:
            raise KeyboardInterrupt

    monkeypatch.setattr(Columns, "put_back", interrupted)

    with pytest.raises(KeyboardInterrupt), edited(model, _adapter(model.dtype, 2)):
        pass

    for name, weight in model.model.state_dict().items():
        assert torch.equal(weight, before[name]), name


@pytest.mark.parametrize(
    "write",
    [
        LayerWrite(3, (1,), A=torch.ones(1, 1), B=torch.ones(32, 1)),
        LayerWrite(0, (48,), A=torch.ones(1, 1), B=torch.ones(32, 1)),
        LayerWrite(0, (1,), A=torch.ones(1, 1), B=torch.ones(30, 1)),
    ],
)
def test_an_adapter_of_a_model_of_another_shape_is_refused(write: LayerWrite) -> None:
    d_ff = max(48, *(unit + 1 for unit in write.units))
    adapter = Adapter.of([write], d_ff=d_ff, dtype=torch.float32)

    with pytest.raises(BadRequestError, match="another shape"):
        edited_columns(_resident(torch.float32), adapter)


def test_an_edit_that_rounds_to_nothing_is_refused() -> None:
    write = LayerWrite(0, (1,), A=torch.full((1, 1), 1e-6), B=torch.full((32, 1), 1e-6))
    adapter = Adapter.of([write], d_ff=48, dtype=torch.float32)

    with pytest.raises(NoChangeError), edited(_resident(torch.float32), adapter):
        pass


def test_an_edit_that_is_not_finite_is_refused() -> None:
    write = LayerWrite(0, (1,), A=torch.full((1, 1), 1e30), B=torch.full((32, 1), 1e30))

    with pytest.raises(NonFiniteError):
        Adapter.of([write], d_ff=48, dtype=torch.float32)


def _resident(dtype: torch.dtype) -> Resident:
    torch.manual_seed(0)
    return Resident.of(FAMILIES["llama-mha-untied"]().to(dtype), Letters())


def _adapter(dtype: torch.dtype, rank: int) -> Adapter:
    torch.manual_seed(1)
    writes = [
        LayerWrite(layer, (3, 7, 41), A=torch.randn(rank, 3), B=torch.randn(32, rank))
        for layer in (0, 2)
    ]
    return Adapter.of(writes, d_ff=48, dtype=dtype)


def test_ranks_of_zeros_are_padding_for_who_reads_them_too() -> None:
    adapter = padded(_adapter(torch.float32, 3), least=8)

    found = Adapter.read(adapter.files("base"))

    assert (found.rank, found.own_rank, found.n_padding) == (8, 3, 5)


def test_a_layer_that_is_written_nowhere_can_be_read_and_applied() -> None:
    resident = _resident(torch.float32)
    written = _adapter(torch.float32, 1).writes[0]
    silent = LayerWrite(2, (1, 2), torch.zeros(1, 2), torch.ones(resident.shape.d_model, 1))
    adapter = Adapter.of([written, silent], d_ff=resident.shape.d_ff, dtype=torch.float32)
    weights = [block.down_weight for block in resident.blocks]
    before = [weight.clone() for weight in weights]

    with edited(resident, Adapter.read(adapter.files("base"))):
        changed = [not torch.equal(*pair) for pair in zip(weights, before, strict=True)]

    assert [layer for layer, it_is in enumerate(changed) if it_is] == [written.layer]
    assert all(map(torch.equal, weights, before))
