"""Rows through one block, forward and backward, beside the model's own block and autograd."""

import pytest
import torch
from tiny_models import FAMILIES, Letters
from torch import Tensor, nn

from worker.kn.collect.rows.attention import Prefix, Rotation
from worker.kn.collect.rows.block import backward, forward
from worker.kn.collect.rows.norm import norm_backward
from worker.kn.model.recording import Recording, record
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Batch, Statement

STATEMENTS = [Statement.of((1, 40, 50, 60, 70), (80,)), Statement.of((1, 9, 8, 7, 6), (5,))]
LAYERS = range(3)


def test_the_last_position_goes_through_a_block_as_a_row(resident: Resident) -> None:
    recording, streams = _recorded(resident)

    for layer in LAYERS:
        rows = streams[layer][:, -1:]
        above, _ = forward(
            resident.blocks[layer], rows, _prefix(resident, recording).kv(layer, rows=1)
        )
        torch.testing.assert_close(above, streams[layer + 1][:, -1:])


def test_the_gradient_of_a_row_is_that_of_the_last_position(resident: Resident) -> None:
    recording, streams = _recorded(resident)
    kv_of = _prefix(resident, recording).kv

    for layer in LAYERS:
        block, rows = resident.blocks[layer], streams[layer][:, -1:]
        grad = torch.randn_like(rows)
        _, kept = forward(block, rows, kv_of(layer, rows=1))

        found = backward(block, kept, grad.clone(), kv_of(layer, rows=1))

        expected = _by_autograd(resident, layer, streams[layer], grad)
        atol = 1e-5 * expected.abs().max().item()  # the families' norms compute in float32
        torch.testing.assert_close(found, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_backward_pass_of_a_norm_is_autograds(dtype: torch.dtype) -> None:
    norm = _norm(dtype)
    rows, grad = (torch.randn(2, 3, 32, dtype=torch.float64).to(dtype) for _ in range(2))
    exact = rows.double().requires_grad_()
    size = (exact.square().mean(-1, keepdim=True) + norm.variance_epsilon).rsqrt()
    y = norm.weight.double() * exact * size
    (expected,) = torch.autograd.grad(y, exact, grad.double())

    found = norm_backward(norm, rows, grad)

    assert found.dtype is dtype
    error = (found.double() - expected).abs().max() / expected.abs().max()
    assert error < 4 * torch.finfo(dtype).eps


def test_a_transposed_rotation_is_the_inverse() -> None:
    angles = torch.randn(2, 3, 4, dtype=torch.float64).repeat(1, 1, 2)
    rotation = Rotation.of(angles.cos(), angles.sin())
    heads = torch.randn(2, 3, 5, 8, dtype=torch.float64)

    torch.testing.assert_close(rotation.transposed(rotation(heads)), heads)


def _recorded(resident: Resident) -> tuple[Recording, list[Tensor]]:
    """What is recorded, and the residual stream before each block and behind the last."""
    torch.manual_seed(1)
    streams: list[Tensor] = []
    handles = [
        block.module.register_forward_pre_hook(lambda _, inputs: streams.append(inputs[0]))
        for block in resident.blocks
    ]
    handles += [resident.final_norm.register_forward_pre_hook(lambda _, x: streams.append(x[0]))]
    try:
        return record(resident, Batch.of(STATEMENTS, resident.device)), streams
    finally:
        for handle in handles:
            handle.remove()


def _prefix(resident: Resident, recording: Recording) -> Prefix:
    positions = recording.batch.positions
    return Prefix(recording, positions, *resident.rotary(recording.last, positions))


def _by_autograd(resident: Resident, layer: int, stream: Tensor, grad: Tensor) -> Tensor:
    """The gradient at the last position through the model's own block."""
    places = torch.arange(stream.shape[1])[None]
    last = stream[:, -1:].clone().requires_grad_()
    above = resident.blocks[layer].module(
        torch.cat([stream[:, :-1], last], dim=1),
        position_embeddings=resident.rotary(stream, places),
    )
    return torch.autograd.grad(above[:, -1:], last, grad)[0]


def _norm(dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    resident = Resident.of(FAMILIES["llama-mha-untied"]().to(dtype), Letters())
    return resident.final_norm
