"""Products of halves that are summed in float32."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bench.engine.half_precision import HALVES, SummedInFloat32

HALF = pytest.mark.parametrize("dtype", HALVES, ids=str)


def factors(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, a weight and its bias."""
    generator = torch.Generator().manual_seed(5)
    shapes = ((3, 64), (32, 64), (32,))
    rows, weight, bias = (torch.randn(shape, generator=generator).to(dtype) for shape in shapes)
    return rows, weight, bias


@HALF
def test_a_product_is_the_one_of_float32_rounded_once(dtype: torch.dtype) -> None:
    rows, weight, bias = factors(dtype)
    exact = rows.float() @ weight.float().T

    with SummedInFloat32():
        plain, biased = rows @ weight.T, functional.linear(rows, weight, bias)
        batched = rows[None] @ weight.T[None]

    assert torch.equal(plain, exact.to(dtype))
    assert torch.equal(biased, (exact + bias.float()).to(dtype))
    assert torch.equal(batched[0], exact.to(dtype))


@HALF
def test_a_gradient_is_the_one_of_float32_rounded_once(dtype: torch.dtype) -> None:
    rows, weight, _ = factors(dtype)
    rows.requires_grad_()
    down = torch.ones(3, 32, dtype=dtype)

    with SummedInFloat32():
        functional.linear(rows, weight).backward(down)

    assert rows.grad is not None
    assert torch.equal(rows.grad, (down.float() @ weight.float()).to(dtype))


def test_what_is_no_product_of_halves_stays_as_it_is() -> None:
    rows, weight, _ = factors(torch.float32)
    halves = rows.half()

    with SummedInFloat32():
        product, total = rows @ weight.T, halves.sum()

    assert torch.equal(product, rows @ weight.T)
    assert torch.equal(total, halves.sum())
