"""The product of rows with a part of the vocabulary, by the fastest kernel at hand.

On the CPU, torch gives float32 products to its BLAS. oneDNN, which torch carries and uses for
halves, needs a quarter to a third less time for the head's, half of all that attribution multiplies
(`bench.collect` tells both). But it makes a kernel for each shape that it meets, in a millisecond,
and keeps it, in half a megabyte. The head's parts differ by the number of rows alone, and but for
the last they are of one size; the blocks' shapes are too many.
"""

import torch
from torch import Tensor
from torch.nn import functional

from contract.memory import HEAD_CHUNK_WORDS

FEWEST_MULTIPLICATIONS = 2**25
"""Of a product that is worth a kernel: some 0.4 ms of two cores."""


@torch.no_grad()
def product(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """rows · weightᵀ + bias, to rounding; no gradient comes back.

    rows (R, d_in), weight (d_out, d_in), which may be a transposed view, bias (d_out).
    """
    if has_kernel(rows, weight):
        found: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
        return found
    return functional.linear(rows, weight, bias)


def has_kernel(rows: Tensor, weight: Tensor) -> bool:
    """By dtype, place and shapes alone: what is multiplied again is rounded as it was before."""
    return (
        rows.dtype is torch.float32
        and rows.device.type == "cpu"
        and HEAD_CHUNK_WORDS in weight.shape
        and rows.numel() * len(weight) >= FEWEST_MULTIPLICATIONS
        and torch.backends.mkldnn.is_available()
    )
