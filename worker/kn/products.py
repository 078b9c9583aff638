"""Products with frozen weights, by the fastest kernels at hand.

On the CPU, torch gives float32 products to its BLAS; oneDNN, which it carries as well and uses for
halves, needs a quarter less time for the engine's shapes (`bench.floor` measures both). Weights
that ask for no gradient need only the way back to the rows, which is one such product more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import Function, FunctionCtx
from torch.nn import functional


def product(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """rows · weightᵀ + bias: `torch.nn.functional.linear`, to rounding.

    rows (…, d_in), weight (d_out, d_in), which may be a transposed view, bias (d_out).
    """
    if not _suits_onednn(rows, weight, bias):
        return functional.linear(rows, weight, bias)
    if torch.is_grad_enabled() and rows.requires_grad:
        return cast(Tensor, _Product.apply(rows, weight, bias))  # type: ignore[no-untyped-call]
    return _by_onednn(rows, weight, bias)


@contextmanager
def fast_products(model: nn.Module) -> Iterator[None]:
    """The model's linear maps are taken by `product` meanwhile."""
    plain = [m for m in model.modules() if type(m) is nn.Linear and "forward" not in vars(m)]
    for module in plain:
        vars(module)["forward"] = _forward_of(module)
    try:
        yield
    finally:
        for module in plain:
            del vars(module)["forward"]


def _forward_of(module: nn.Linear) -> Any:
    return lambda rows: product(rows, module.weight, module.bias)


def _suits_onednn(rows: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    return (
        rows.dtype is torch.float32
        and rows.device.type == "cpu"
        and not weight.requires_grad
        and (bias is None or not bias.requires_grad)
        and rows.numel() > 0
        and torch.backends.mkldnn.is_available()
    )


def _by_onednn(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return found


class _Product(Function):
    """The product, and the way back to the rows alone."""

    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        return _by_onednn(rows, weight, bias)

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        return _by_onednn(above[0], weight.t(), None), None, None
