"""Nodes and weights of the integral along the path from 0 to the activation."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor


class Quadrature(NamedTuple):
    """∫₀¹ f(α) dα ≈ Σ_k w_k f(α_k), the m nodes in order."""

    nodes: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def with_ends(self) -> "Quadrature":
        """The same with nodes at 0 and 1, of weight 0 where the rule itself has none there."""
        nodes, weights = self
        if nodes[0] > 0:
            nodes, weights = (0.0, *nodes), (0.0, *weights)
        if nodes[-1] < 1:
            nodes, weights = (*nodes, 1.0), (*weights, 0.0)
        return Quadrature(nodes, weights)


def like(values: tuple[float, ...], tensor: Tensor) -> Tensor:
    """The values in a tensor's dtype, where it is."""
    return torch.tensor(values, dtype=torch.float64).to(tensor)


class Rule(StrEnum):
    """The quadrature rule along the path."""

    RIEMANN = "riemann"
    GAUSS_LEGENDRE = "gauss_legendre"

    def points(self, steps: int) -> Quadrature:
        """The rule with `steps` points."""
        return RULES[self](steps)


def riemann(steps: int) -> Quadrature:
    """α_k = k/m for k = 1..m, each 1/m: the right Riemann sum of Dai et al. (ACL 2022)."""
    nodes = tuple(k / steps for k in range(1, steps + 1))
    return Quadrature(nodes, (1 / steps,) * steps)


def endpoints(steps: int) -> Quadrature:
    """linspace(0, 1, m), each 1/m: what EleutherAI's port and EasyEdit use; m = 1 is α = 0."""
    nodes = tuple(torch.linspace(0, 1, steps, dtype=torch.float32).tolist())
    return Quadrature(nodes, (1 / steps,) * steps)


def gauss_legendre(steps: int) -> Quadrature:
    """The roots of the Legendre polynomial of degree m, mapped to [0, 1]: exact for polynomials
    of degree 2m − 1, so few points suffice.

    They are the eigenvalues of the polynomials' recurrence, β_k = k / √(4k² − 1) beside the
    diagonal, and the weights the squares of the eigenvectors' first entries (Golub, Welsch 1969).
    """
    k = torch.arange(1, steps, dtype=torch.float64)
    beta = k / (4 * k**2 - 1).sqrt()
    nodes, vectors = torch.linalg.eigh(beta.diag(1) + beta.diag(-1))
    return Quadrature(tuple(((nodes + 1) / 2).tolist()), tuple((vectors[0] ** 2).tolist()))


RULES: Mapping[Rule, Callable[[int], Quadrature]] = {
    Rule.RIEMANN: riemann,
    Rule.GAUSS_LEGENDRE: gauss_legendre,
}
