"""The product of rows with a weight, by the fastest kernel at hand.

On the CPU, torch gives float32 products to its BLAS. oneDNN, which torch carries and uses for
halves, needs a tenth to a third less time for the rows of attribution (`bench.collect` tells both).
But it makes a kernel for each shape that it meets, in a millisecond, and keeps it, in half a
megabyte or more. So only products of few shapes take it: the head's parts, which differ by the
number of rows alone and but for the last are of one size, and others of a few heights. Rows are
filled up to such a height (`contract.memory.filled_rows`).
"""

import torch
from torch import Tensor
from torch.nn import functional

from contract.memory import FILLED_ROWS, HEAD_CHUNK_WORDS

FEWEST_MULTIPLICATIONS = 2**22
"""Of a product that is worth a kernel: some 0.05 ms of two cores."""

MOST_ROWS = 32 * FILLED_ROWS
"""Of a product with another weight than the head's."""


def product(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """rows · weightᵀ + bias, to rounding, where no gradient is asked for.

    rows (…, d_in), weight (d_out, d_in), which may be a transposed view, bias (d_out).
    """
    if has_kernel(rows, weight):
        found: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
        return found
    return functional.linear(rows, weight, bias)


def has_kernel(rows: Tensor, weight: Tensor) -> bool:
    """By dtype, place and shapes alone: what is multiplied again is rounded as it was before."""
    if rows.dtype is not torch.float32 or not rows.is_cpu:
        return False
    d_out, d_in = weight.shape
    n_rows = rows.numel() // d_in
    return (
        n_rows % FILLED_ROWS == 0
        and (n_rows <= MOST_ROWS or HEAD_CHUNK_WORDS in (d_out, d_in))
        and n_rows * d_in * d_out >= FEWEST_MULTIPLICATIONS
        and torch.backends.mkldnn.is_available()
    )
