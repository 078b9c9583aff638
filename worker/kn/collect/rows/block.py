"""Rows through one block, and their gradients back; its weights ask for none."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from worker.kn.collect.rows.attention import QKV, Seen, attend, attend_back
from worker.kn.collect.rows.norm import norm_back
from worker.kn.model.layout import Attention, Block
from worker.kn.model.products import product


@dataclass(frozen=True, slots=True)
class Saved:
    """What the way down needs of the way up."""

    rows: Tensor  # (S, R, d_model), as they came
    unnormed: QKV | None  # before norms over heads, if there are such
    qkv: QKV
    share: Tensor
    mid: Tensor  # (S, R, d_model): the residual stream between attention and feed-forward
    gate: Tensor  # (S, R, d_ff)
    up: Tensor  # (S, R, d_ff)


@torch.no_grad()
def ride_up(block: Block, rows: Tensor, seen: Seen) -> tuple[Tensor, Saved]:
    """Rows (S, R, d_model) after the block."""
    attention = block.attention
    projected = _projected(attention, attention.norm(rows))
    qkv = _turned(attention, projected, seen)
    mixed, share = attend(qkv, seen, scaling=attention.scaling)
    mid = _through(attention.out, mixed).add_(rows)
    del mixed
    normed = block.norm(mid)
    gate, up = _through(block.gate, normed), _through(block.up, normed)
    del normed
    above = _through(block.down, block.activation(gate) * up).add_(mid)
    unnormed = projected if attention.head_norms else None
    return above, Saved(rows, unnormed, qkv, share, mid, gate, up)


@torch.no_grad()
def ride_down(block: Block, saved: Saved, pulled: Tensor, seen: Seen) -> Tensor:
    """The gradient at the rows before the block, by that after it, both (S, R, d_model)."""
    to_mid = norm_back(block.norm, saved.mid, _feed_forward_back(block, saved, pulled)).add_(pulled)
    attention = block.attention
    to_qkv = attend_back(
        _back(attention.out, to_mid),
        saved.qkv,
        saved.share,
        seen,
        scaling=attention.scaling,
    )
    to_normed = _projected_back(attention, saved, to_qkv, seen)
    del to_qkv
    return norm_back(attention.norm, saved.rows, to_normed).add_(to_mid)


def _projected(attention: Attention, rows: Tensor) -> QKV:
    linears = (attention.query, attention.key, attention.value)
    heads = (-1, attention.d_head)
    return QKV(*(_through(linear, rows).unflatten(-1, heads) for linear in linears))


def _turned(attention: Attention, projected: QKV, seen: Seen) -> QKV:
    query, key, value = projected
    if attention.head_norms is not None:
        query, key = attention.head_norms.query(query), attention.head_norms.key(key)
    return QKV(seen.rotation(query), seen.rotation(key), value)


def _projected_back(attention: Attention, saved: Saved, to: QKV, seen: Seen) -> Tensor:
    """The gradient at what was projected."""
    turn_back = seen.rotation.transposed
    query, key = turn_back(to.query), turn_back(to.key)
    if saved.unnormed is not None and attention.head_norms is not None:
        query = norm_back(attention.head_norms.query, saved.unnormed.query, query)
        key = norm_back(attention.head_norms.key, saved.unnormed.key, key)
    pulled = _back(attention.query, query.flatten(2))
    pulled += _back(attention.key, key.flatten(2))
    pulled += _back(attention.value, to.value.flatten(2))
    return pulled


def _feed_forward_back(block: Block, saved: Saved, pulled: Tensor) -> Tensor:
    """The gradient at the norm's result."""
    to_gated = _back(block.down, pulled)
    with torch.enable_grad():
        gate = saved.gate.detach().requires_grad_()
        active = block.activation(gate)
    (to_gate,) = torch.autograd.grad(active, gate, to_gated * saved.up)
    to_up = to_gated.mul_(active.detach())
    del active
    return _back(block.gate, to_gate).add_(_back(block.up, to_up))


def _through(linear: nn.Linear, rows: Tensor) -> Tensor:
    """Rows (S, R, d_in) as the layer maps them."""
    return product(rows, linear.weight, linear.bias)


def _back(linear: nn.Linear, pulled: Tensor) -> Tensor:
    """The gradient at what went into the layer."""
    return product(pulled, linear.weight.t())
