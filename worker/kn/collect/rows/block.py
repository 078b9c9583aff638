"""Rows through one block, forward and backward; no gradient of its weights is computed."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from worker.kn.collect.rows.attention import QKV, PrefixKV, attention, attention_backward
from worker.kn.collect.rows.norm import norm_backward
from worker.kn.model.layout import Attention, Block
from worker.kn.model.products import product


@dataclass(frozen=True, slots=True)
class Saved:
    """What the backward pass needs of the forward pass."""

    rows: Tensor  # (S, R, d_model), the block's input
    unnormed: QKV | None  # before the norms over heads, where the family has them
    qkv: QKV
    probs: Tensor
    mid: Tensor  # (S, R, d_model): the residual stream between attention and feed-forward
    gate: Tensor  # (S, R, d_ff)
    up: Tensor  # (S, R, d_ff)


@torch.no_grad()
def forward(block: Block, rows: Tensor, prefix: PrefixKV) -> tuple[Tensor, Saved]:
    """Rows (S, R, d_model) after the block, and what `backward` needs."""
    attn = block.attention
    projected = _projection(attn, attn.norm(rows))
    qkv = _rotated(attn, projected, prefix)
    attended, probs = attention(qkv, prefix, scaling=attn.scaling)
    mid = _linear(attn.out, attended).add_(rows)
    del attended
    normed = block.norm(mid)
    gate, up = _linear(block.gate, normed), _linear(block.up, normed)
    del normed
    above = _linear(block.down, block.activation(gate) * up).add_(mid)
    unnormed = projected if attn.head_norms else None
    return above, Saved(rows, unnormed, qkv, probs, mid, gate, up)


@torch.no_grad()
def backward(block: Block, saved: Saved, grad: Tensor, prefix: PrefixKV) -> Tensor:
    """The gradient at the block's input, given that at its output, both (S, R, d_model)."""
    grad_normed = _feed_forward_backward(block, saved, grad)
    grad_mid = norm_backward(block.norm, saved.mid, grad_normed).add_(grad)
    del grad_normed
    attn = block.attention
    grad_qkv = attention_backward(
        _linear_backward(attn.out, grad_mid),
        saved.qkv,
        saved.probs,
        prefix,
        scaling=attn.scaling,
    )
    grad_normed = _projection_backward(attn, saved, grad_qkv, prefix)
    del grad_qkv
    return norm_backward(attn.norm, saved.rows, grad_normed).add_(grad_mid)


def _projection(attn: Attention, rows: Tensor) -> QKV:
    linears = (attn.query, attn.key, attn.value)
    heads = (-1, attn.d_head)
    return QKV(*(_linear(linear, rows).unflatten(-1, heads) for linear in linears))


def _rotated(attn: Attention, projected: QKV, prefix: PrefixKV) -> QKV:
    query, key, value = projected
    if attn.head_norms is not None:
        query, key = attn.head_norms.query(query), attn.head_norms.key(key)
    return QKV(prefix.rotation(query), prefix.rotation(key), value)


def _projection_backward(attn: Attention, saved: Saved, grad: QKV, prefix: PrefixKV) -> Tensor:
    """The gradient at the input of the projections, given those at rotated queries and keys, and
    at values."""
    transposed = prefix.rotation.transposed
    query, key = transposed(grad.query), transposed(grad.key)
    if saved.unnormed is not None and attn.head_norms is not None:
        query = norm_backward(attn.head_norms.query, saved.unnormed.query, query)
        key = norm_backward(attn.head_norms.key, saved.unnormed.key, key)
    total = _linear_backward(attn.query, query.flatten(2))
    total += _linear_backward(attn.key, key.flatten(2))
    total += _linear_backward(attn.value, grad.value.flatten(2))
    return total


def _feed_forward_backward(block: Block, saved: Saved, grad: Tensor) -> Tensor:
    """The gradient at the feed-forward's normed input, given that at its output."""
    grad_hidden = _linear_backward(block.down, grad)
    with torch.enable_grad():
        gate = saved.gate.detach().requires_grad_()
        active = block.activation(gate)
    (grad_gate,) = torch.autograd.grad(active, gate, grad_hidden * saved.up)
    grad_up = grad_hidden.mul_(active.detach())
    del active
    return _linear_backward(block.gate, grad_gate).add_(_linear_backward(block.up, grad_up))


def _linear(linear: nn.Linear, rows: Tensor) -> Tensor:
    """The layer's output for rows (S, R, d_in)."""
    return product(rows, linear.weight, linear.bias)


def _linear_backward(linear: nn.Linear, grad: Tensor) -> Tensor:
    """The gradient at the layer's input, given that at its output."""
    return product(grad, linear.weight.t())
