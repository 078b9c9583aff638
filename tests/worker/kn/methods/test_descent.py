"""The steps in which a write goes down."""

import pytest
import torch

from worker.kn.methods.descent import Descent, Pace
from worker.kn.methods.whitening import Direction


def test_a_step_has_the_same_length_whatever_the_gradients() -> None:
    for size in (1e-6, 1e6):
        descent = _descent()

        descent.step(_gradients(descent, size), _gradients(descent, 0.0))

        assert _moved(descent).norm().item() == pytest.approx(0.05 * 2)  # η times the length


def test_preservation_cannot_reverse_a_step() -> None:
    free, preserving = _descent(), _descent()
    free.step(_gradients(free, 1.0), _gradients(free, 0.0))
    preserving.step(_gradients(preserving, 1.0), _gradients(preserving, -100.0))

    assert torch.allclose(_moved(free), _moved(preserving), rtol=1e-4)


def test_preservation_deflects_a_step_that_it_does_not_oppose() -> None:
    descent = _descent()
    aside = [torch.zeros_like(b) for b in descent.B]
    aside[0][0, 0] = 100.0

    descent.step(_gradients(descent, 1.0), aside)

    moved = _moved(descent)
    assert abs(moved[0]) > 3 * abs(moved[1]) > 0


def _descent() -> Descent:
    return Descent([_direction(0), _direction(1)], 4, Pace(momentum=0.0))


def _gradients(descent: Descent, by: float) -> list[torch.Tensor]:
    """Gradients that are the same everywhere."""
    return [torch.full_like(b, by) for b in descent.B]


def _moved(descent: Descent) -> torch.Tensor:
    return torch.cat([b.detach().flatten() for b in descent.B])


def _direction(layer: int) -> Direction:
    return Direction(layer, [0, 1], torch.ones(1, 2), length=2.0, mahalanobis=1.0)
