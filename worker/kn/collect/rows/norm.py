"""The backward pass of a root mean square norm, which all families share."""

from typing import Any

import torch
from torch import Tensor, nn


def norm_backward(norm: nn.Module, rows: Tensor, grad: Tensor) -> Tensor:
    """∂/∂x of Σ g ⊙ y, y = w ⊙ r x with r = 1/√(mean(x²) + ε): r (t − r² mean(t ⊙ x) x), t = w ⊙ g.

    `rows` (…, d) are x; `grad`, of the same shape, is g and may be overwritten. Computed in at
    least float32.
    """
    given: Any = norm
    wide = torch.promote_types(rows.dtype, torch.float32)
    x, t = rows.to(wide), grad.to(wide).mul_(given.weight)
    r_squared = (_mean_product(x, x) + given.variance_epsilon).reciprocal_()
    along = _mean_product(t, x).mul_(r_squared)
    return t.addcmul_(x, along, value=-1).mul_(r_squared.sqrt_()).to(rows.dtype)


def _mean_product(a: Tensor, b: Tensor) -> Tensor:
    """mean(a ⊙ b) over the last dimension, which stays as one of size 1."""
    along: Tensor = torch.linalg.vecdot(a, b)
    return along[..., None] / a.shape[-1]
