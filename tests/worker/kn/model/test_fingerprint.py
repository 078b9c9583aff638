"""What the digest of the weights notices."""

import pytest
import torch
from tiny_models import FAMILIES, Letters

from worker.kn.model.fingerprint import fingerprint
from worker.kn.model.resident import Resident


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64], ids=str
)
def test_the_same_weights_have_the_same_digest_in_every_dtype(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    resident = Resident.of(FAMILIES["qwen3-tied"]().to(dtype), Letters())

    assert fingerprint(resident) == fingerprint(resident)
    assert len(fingerprint(resident)) == 3 * 2 * 16


def test_one_bit_anywhere_changes_it(llama: Resident) -> None:
    before = fingerprint(llama)

    for layer, row, unit in ((0, 0, 0), (1, 31, 47), (2, 5, 13)):
        bits = llama.blocks[layer].down_weight.detach().view(torch.int32)
        for bit in (0, 12, 31):
            bits[row, unit] ^= torch.tensor(1).int() << bit
            assert fingerprint(llama) != before
            bits[row, unit] ^= torch.tensor(1).int() << bit

    assert fingerprint(llama) == before


def test_numbers_that_change_places_change_it(llama: Resident) -> None:
    weight = llama.blocks[1].down_weight.detach()
    before = fingerprint(llama)

    def across(w: torch.Tensor) -> torch.Tensor:
        crossed = w.clone()
        crossed[0, 1], crossed[1, 0] = w[1, 0], w[0, 1]
        return crossed

    for move in (lambda w: w.flip(0), lambda w: w.flip(1), lambda w: w.roll(1, 1), across):
        saved = weight.clone()
        weight.copy_(move(weight))
        assert fingerprint(llama) != before
        weight.copy_(saved)


def test_a_sign_of_zero_counts(llama: Resident) -> None:
    weight = llama.blocks[0].down_weight.detach()
    weight[0, 0] = 0.0
    before = fingerprint(llama)

    weight[0, 0] = -0.0

    assert fingerprint(llama) != before


def test_a_matrix_of_many_chunks_is_summed_whole(llama: Resident) -> None:
    wide = torch.nn.Parameter(torch.randn(1100, 48))
    llama.blocks[2].down.weight = wide
    before = fingerprint(llama)

    wide.data[1099, 3] += 1

    assert fingerprint(llama) != before
