"""A cheap digest of the weights that an edit may touch, taken where they lie."""

import torch
from torch import Tensor

from worker.kn.model.resident import Resident

ROWS_PER_CHUNK = 512
"""Rows that are widened to 64 bits at a time: at Llama-2-7B's width 45 MB."""

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@torch.no_grad()
def fingerprint(resident: Resident) -> str:
    """Σ x_i and Σ x_i · w_i modulo 2^64 over the bits of each block's second feed-forward matrix,
    with the odd weights w_i = 2 i + 1.

    One changed number always changes the first sum, two that were exchanged all but always the
    second. Each weight is read once; no copy of the matrix is made.
    """
    sums = [_sums(block.down_weight.detach()) for block in resident.blocks]
    return "".join(f"{part & (2**64 - 1):016x}" for pair in sums for part in pair.tolist())


def _sums(weight: Tensor) -> Tensor:
    """(2,) int64; sums of integers wrap around, in any order to the same end."""
    bits = weight.view(_INTEGERS[weight.element_size()])  # (d_model, d_ff)
    d_ff = bits.shape[1]
    columns = 2 * torch.arange(d_ff, device=bits.device) + 1
    total = torch.zeros(2, dtype=torch.int64, device=bits.device)
    for first in range(0, bits.shape[0], ROWS_PER_CHUNK):
        chunk = bits[first : first + ROWS_PER_CHUNK].to(torch.int64)
        before = 2 * d_ff * torch.arange(first, first + len(chunk), device=bits.device)
        total[0] += chunk.sum()
        total[1] += ((chunk * columns).sum(1) + chunk.sum(1) * before).sum()
    return total
