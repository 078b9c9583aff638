"""The attention of rows, each over the recorded prefix and itself, forward and backward."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from worker.kn.model.recording import Recording


@dataclass(frozen=True, slots=True)
class Rotation:
    """Rotary position embedding: x₁ c₁ − x₂ s₁ and x₂ c₂ + x₁ s₂ of the halves of each head."""

    cos: Tensor  # (S, R, 1, d_head)
    from_second: Tensor  # (S, R, 1, d_head / 2): factor of the second half added to the first
    from_first: Tensor  # likewise

    @classmethod
    def of(cls, cos: Tensor, sin: Tensor) -> "Rotation":
        """From the model's own cos and sin (S, R, d_head)."""
        first, second = sin[:, :, None].chunk(2, dim=-1)
        return cls(cos[:, :, None], -first, second)

    @property
    def transposed(self) -> "Rotation":
        """The transpose, which takes gradients backward; also the inverse."""
        return Rotation(self.cos, self.from_first, self.from_second)

    def __call__(self, heads: Tensor) -> Tensor:
        """Rotate heads (S, R, n, d_head)."""
        rotated = heads * self.cos
        first, second = heads.chunk(2, dim=-1)
        rotated_first, rotated_second = rotated.chunk(2, dim=-1)
        rotated_first.addcmul_(second, self.from_second)
        rotated_second.addcmul_(first, self.from_first)
        return rotated


@dataclass(frozen=True, slots=True)
class PrefixKV:
    """The cached keys and values that R rows of S prompts attend to in one block, and the rows'
    rotation."""

    keys: Tensor  # (S, n_kv_head, P, d_head)
    values: Tensor
    mask: Tensor | None  # (S, R, P): true where a row must not attend; None: nothing is masked
    rotation: Rotation


@dataclass(frozen=True, slots=True)
class Prefix:
    """The recorded positions strictly before each row, in all blocks."""

    recording: Recording
    positions: Tensor  # (S, R)
    cos: Tensor  # (S, R, d_head), the model's own at the positions
    sin: Tensor

    def kv(self, layer: int, *, rows: int) -> PrefixKV:
        """What the first `rows` rows attend to in a block."""
        keys, values = self.recording.keys[layer], self.recording.values[layer]
        length = keys.shape[2] - 1
        cos, sin = (angles[:, :rows].to(keys.device) for angles in (self.cos, self.sin))
        return PrefixKV(
            keys=keys[:, :, :length],
            values=values[:, :, :length],
            mask=self._mask(length, rows, keys) if self.recording.batch.ragged else None,
            rotation=Rotation.of(cos, sin),
        )

    def _mask(self, length: int, rows: int, keys: Tensor) -> Tensor:
        places = torch.arange(length, device=keys.device)
        return places >= self.positions[:, :rows, None].to(keys.device)


class QKV(NamedTuple):
    """Queries, keys and values of the rows."""

    query: Tensor  # (S, R, n_head, d_head)
    key: Tensor  # (S, R, n_kv_head, d_head)
    value: Tensor


def attention(qkv: QKV, prefix: PrefixKV, *, scaling: float) -> tuple[Tensor, Tensor]:
    """softmax(scaling · q·[K_prefix, k]) · [V_prefix, v], where a row attends to no other row:
    (S, R, n_head · d_head), and the probabilities (S, n_kv_head, group, R, P + 1), in at least
    float32."""
    query, key, value = _grouped(qkv)
    # Scaled before the product, which in half precision overflows sooner.
    scores = _scores(query * scaling, prefix.keys, key)
    if prefix.mask is not None:
        least = torch.finfo(scores.dtype).min
        scores[..., :-1].masked_fill_(prefix.mask[:, None, None], least)
    wide = torch.promote_types(scores.dtype, torch.float32)
    probs = scores.softmax(dim=-1, dtype=wide)
    return _weighted_sum(probs.to(value.dtype), prefix.values, value).flatten(2), probs


def attention_backward(
    grad: Tensor, qkv: QKV, probs: Tensor, prefix: PrefixKV, *, scaling: float
) -> QKV:
    """The gradients at queries, keys and values, given that at `attention`'s output."""
    query, key, value = _grouped(qkv)
    grad = grad.view_as(query)
    grad_scores = _scores(grad, prefix.values, value).to(probs.dtype).mul_(probs)
    grad_scores.addcmul_(probs, grad_scores.sum(-1, keepdim=True), value=-1).mul_(scaling)
    rounded = grad_scores.to(grad.dtype)
    grad_query = _weighted_sum(rounded, prefix.keys, key).flatten(2, 3)
    grad_key = (query * _by_row(rounded[..., -1:])).sum(3)
    own_probs = _by_row(probs[..., -1:].to(grad.dtype))
    return QKV(grad_query, grad_key, (grad * own_probs).sum(3))


def _grouped(qkv: QKV) -> QKV:
    """Grouped by shared key: (S, R, n_kv_head, group, d_head), group 1 for keys and values."""
    query, key, value = qkv
    grouped = query.unflatten(2, (key.shape[2], -1))
    return QKV(grouped, key[:, :, :, None], value[:, :, :, None])


def _scores(rows: Tensor, prefix: Tensor, own: Tensor) -> Tensor:
    """Dot products of rows (S, R, n_kv_head, group, d_head) with the prefix
    (S, n_kv_head, P, d_head), and of each with its own (S, R, n_kv_head, 1, d_head):
    (S, n_kv_head, group, R, P + 1)."""
    with_prefix = _times(_by_head(rows), prefix.transpose(-1, -2))
    return torch.cat([with_prefix, _by_head((rows * own).sum(-1, keepdim=True))], dim=-1)


def _weighted_sum(weights: Tensor, prefix: Tensor, own: Tensor) -> Tensor:
    """The prefix and each row's own, weighted by (S, n_kv_head, group, R, P + 1):
    (S, R, n_kv_head, group, d_head)."""
    of_prefix, of_own = weights.tensor_split([-1], dim=-1)
    total = own * _by_row(of_own)
    total += _by_row(_times(of_prefix, prefix))
    return total


def _times(by_head: Tensor, matrix: Tensor) -> Tensor:
    """(S, n_kv_head, group, R, x) times (S, n_kv_head, x, y)."""
    found: Tensor = (by_head.flatten(2, 3) @ matrix).unflatten(2, by_head.shape[2:4])
    return found


def _by_head(rows: Tensor) -> Tensor:
    """(S, R, n_kv_head, group, …) as (S, n_kv_head, group, R, …)."""
    return rows.permute(0, 2, 3, 1, 4)


def _by_row(heads: Tensor) -> Tensor:
    """(S, n_kv_head, group, R, …) as (S, R, n_kv_head, group, …)."""
    return heads.permute(0, 3, 1, 2, 4)
