"""Points on the path from 0 to the activation, and what each counts."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor


class Quadrature(NamedTuple):
    """∫₀¹ f(α) dα ≈ Σ_k w_k f(α_k); both of shape (m,), float64."""

    nodes: Tensor
    weights: Tensor

    @property
    def from_zero(self) -> "Quadrature":
        """The same with a first point at 0, which counts for nothing."""
        zero = self.nodes.new_zeros(1)
        return Quadrature(torch.cat([zero, self.nodes]), torch.cat([zero, self.weights]))


class Rule(StrEnum):
    """How the points are laid on the path."""

    RIEMANN = "riemann"
    GAUSS_LEGENDRE = "gauss_legendre"

    def points(self, steps: int) -> Quadrature:
        """The rule with so many points."""
        return RULES[self](steps)


def riemann(steps: int) -> Quadrature:
    """α_k = k/m for k = 1..m, each 1/m: the right Riemann sum of Dai et al. (ACL 2022)."""
    nodes = torch.arange(1, steps + 1, dtype=torch.float64) / steps
    return Quadrature(nodes, torch.full_like(nodes, 1 / steps))


def endpoints(steps: int) -> Quadrature:
    """linspace(0, 1, m), each 1/m: what EleutherAI's port and EasyEdit use; m = 1 is α = 0."""
    nodes = torch.linspace(0, 1, steps, dtype=torch.float32).double()
    return Quadrature(nodes, torch.full_like(nodes, 1 / steps))


def gauss_legendre(steps: int) -> Quadrature:
    """The roots of the Legendre polynomial of degree m, brought to [0, 1]: exact for polynomials
    of degree 2m − 1, so that few points do the work of many.

    They are the eigenvalues of the polynomials' recurrence, β_k = k / √(4k² − 1) beside the
    diagonal, and the weights the squares of the eigenvectors' first entries (Golub, Welsch 1969).
    """
    k = torch.arange(1, steps, dtype=torch.float64)
    beta = k / (4 * k**2 - 1).sqrt()
    nodes, vectors = torch.linalg.eigh(beta.diag(1) + beta.diag(-1))
    return Quadrature((nodes + 1) / 2, vectors[0] ** 2)


RULES: Mapping[Rule, Callable[[int], Quadrature]] = {
    Rule.RIEMANN: riemann,
    Rule.GAUSS_LEGENDRE: gauss_legendre,
}
