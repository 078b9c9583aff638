"""The product of rows with a weight, by the fastest kernel at hand.

On the CPU, torch passes float32 products to its BLAS. oneDNN, which torch bundles and uses for half
precision, takes a tenth to a third less time for the rows of attribution (`bench.collect` measures
both). But it compiles a kernel for each new shape, in a millisecond, and caches it, in half a
megabyte or more. So only products of few shapes use it: rows are padded to a multiple of
`FILLED_ROWS` (`contract.memory.filled_rows`), and larger numbers use BLAS. The head's chunks have
almost all the same size, so any number of rows may use it there.
"""

import torch
from torch import Tensor
from torch.nn import functional

from contract.memory import FILLED_ROWS

FEWEST_MULTIPLICATIONS = 2**22
"""Of a product that is worth a kernel: some 0.05 ms of two cores."""

MAX_ROWS = 32 * FILLED_ROWS
"""The most rows for which a kernel is made, of a product with one of a model's many weights."""


@torch.no_grad()
def product(
    rows: Tensor, weight: Tensor, bias: Tensor | None = None, *, most_rows: int = MAX_ROWS
) -> Tensor:
    """rows · weightᵀ + bias, to rounding; no gradient comes back.

    rows (…, d_in), weight (d_out, d_in), which may be a transposed view, bias (d_out); a kernel is
    made for at most `most_rows`.
    """
    if has_kernel(rows, weight, most_rows):
        found: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
        return found
    return functional.linear(rows, weight, bias)


def has_kernel(rows: Tensor, weight: Tensor, most_rows: int) -> bool:
    """By dtype, place and shapes alone: what is multiplied again is rounded as it was before."""
    if rows.dtype is not torch.float32 or not rows.is_cpu:
        return False
    d_out, d_in = weight.shape
    n_rows = rows.numel() // d_in
    return (
        n_rows % FILLED_ROWS == 0
        and n_rows <= most_rows
        and n_rows * d_in * d_out >= FEWEST_MULTIPLICATIONS
        and torch.backends.mkldnn.is_available()
    )
