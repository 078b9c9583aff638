"""B of every layer, found by normalised gradient descent.

All layers move together. With s_l the length of the residual stream at layer l times the fact's
Mahalanobis distance there, relative to the largest,

    m ← μ m + (1 − μ) · s g / ‖s g‖ ,   B_l ← B_l − η s_l m_l ,   g = w + min(κ, ρ ‖s w‖ / ‖s h‖) h

so that a step has the same length whatever the model's scale and dtype, and a layer moves as far
as it helps. w is the gradient of the target, h that of preservation, which is never longer than
ρ < 1 times w: it can deflect a step, but not reverse it.
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
    """The length of a step, and how far preservation may deflect it."""

    step: float = 0.05  # η, a share of the residual stream's length
    momentum: float = 0.8  # μ
    keeping: float = 1000.0  # κ, the weight of a nat on preserved texts, of the new answer's at 1
    most_ratio: float = 0.9  # ρ, the largest of preservation's length to the target's


class Descent:
    """B of every layer during descent."""

    def __init__(self, directions: Sequence[Direction], d_model: int, pace: Pace) -> None:
        largest = max(direction.mahalanobis for direction in directions) or 1.0
        self.B = [d.A.new_zeros(d_model, len(d.A)).requires_grad_() for d in directions]
        self._scales = [d.length * d.mahalanobis / largest for d in directions]
        self._momentum = [torch.zeros_like(b) for b in self.B]
        self._pace = pace

    def take_gradients(self) -> list[Tensor]:
        """The gradients accumulated in B, scaled to s g; clears them."""
        gradients = [_gradient(b).mul_(s) for b, s in zip(self.B, self._scales, strict=True)]
        for b in self.B:
            b.grad = None
        return gradients

    @torch.no_grad()
    def step(self, target: Sequence[Tensor], preservation: Sequence[Tensor]) -> None:
        """Take one step along both gradients; `target` is overwritten with their sum."""
        most = self._pace.most_ratio * _length(target) / max(_length(preservation), TINY)
        for w, h in zip(target, preservation, strict=True):
            w.add_(h, alpha=min(self._pace.keeping, most))
        length = max(_length(target), TINY)
        for b, g, m, s in zip(self.B, target, self._momentum, self._scales, strict=True):
            m.lerp_(g / length, 1 - self._pace.momentum)
            b.sub_(self._pace.step * s * m)


def _length(tensors: Sequence[Tensor]) -> float:
    """The Euclidean length of all tensors together."""
    length: float = torch.stack([tensor.norm().cpu() for tensor in tensors]).norm().item()
    return length


def _gradient(b: Tensor) -> Tensor:
    assert b.grad is not None
    return b.grad
