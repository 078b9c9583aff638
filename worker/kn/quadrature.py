"""Points on the path from 0 to the activation, and what each counts."""

from typing import NamedTuple

import torch
from torch import Tensor


class Quadrature(NamedTuple):
    """∫₀¹ f(α) dα ≈ Σ_k w_k f(α_k); both of shape (m,), float64."""

    nodes: Tensor
    weights: Tensor


def riemann(steps: int) -> Quadrature:
    """α_k = k/m for k = 1..m, each 1/m: the right Riemann sum of Dai et al. (ACL 2022)."""
    nodes = torch.arange(1, steps + 1, dtype=torch.float64) / steps
    return Quadrature(nodes, torch.full_like(nodes, 1 / steps))


def endpoints(steps: int) -> Quadrature:
    """linspace(0, 1, m), each 1/m: what EleutherAI's port and EasyEdit use; m = 1 is α = 0."""
    nodes = torch.linspace(0, 1, steps, dtype=torch.float32).double()
    return Quadrature(nodes, torch.full_like(nodes, 1 / steps))
