"""B of every layer, and the steps in which it goes down.

All layers move together. With s_l the length of the residual stream at layer l times how clearly
the fact stands out there,

    m ← μ m + (1 − μ) · s g / ‖s g‖ ,   B_l ← B_l − η s_l m_l ,   g = w + min(κ, ρ ‖s w‖ / ‖s h‖) h

so that a step has the same length whatever the model's scale and dtype, and a layer moves as far
as it helps. w is the gradient of what is wanted, h of what is held. That pulls a little less than
w at most, ρ < 1: it may turn the way aside, and cannot turn it back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.kn.methods.whitening import Direction

TINY = torch.finfo(torch.float32).tiny
LOSS_SCALE = 64.0  # only a gradient's direction counts: in float16 a larger one loses less


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a step is, and how far what is held may turn it."""

    step: float = 0.05  # η, a share of the residual stream's length
    momentum: float = 0.8  # μ
    keeping: float = 1000.0  # κ, what a nat on held texts weighs beside one of the new answer
    most_pull: float = 0.9  # ρ, how strongly they pull at most where the new answer pulls at 1


class Descent:
    """B of every layer, on its way down."""

    def __init__(self, directions: Sequence[Direction], d_model: int, pace: Pace) -> None:
        clearest = max(direction.clearness for direction in directions) or 1.0
        self.B = [d.A.new_zeros(d_model, len(d.A)).requires_grad_() for d in directions]
        self._scales = [d.length * d.clearness / clearest for d in directions]
        self._moving = [torch.zeros_like(b) for b in self.B]
        self._pace = pace

    def taken(self) -> list[Tensor]:
        """The gradients that B has, s g, which are taken from it."""
        gradients = [_gradient(b).mul_(s) for b, s in zip(self.B, self._scales, strict=True)]
        for b in self.B:
            b.grad = None
        return gradients

    @torch.no_grad()
    def step(self, wanted: Sequence[Tensor], held: Sequence[Tensor]) -> None:
        """Go one step along both; what is held is added to `wanted` itself."""
        most = self._pace.most_pull * _length(wanted) / max(_length(held), TINY)
        for w, h in zip(wanted, held, strict=True):
            w.add_(h, alpha=min(self._pace.keeping, most))
        length = max(_length(wanted), TINY)
        for b, g, m, s in zip(self.B, wanted, self._moving, self._scales, strict=True):
            m.lerp_(g / length, 1 - self._pace.momentum)
            b.sub_(self._pace.step * s * m)


def _length(tensors: Sequence[Tensor]) -> float:
    """Of all together as one vector."""
    length: float = torch.stack([tensor.norm().cpu() for tensor in tensors]).norm().item()
    return length


def _gradient(b: Tensor) -> Tensor:
    assert b.grad is not None
    return b.grad
