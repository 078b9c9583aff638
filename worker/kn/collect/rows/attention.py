"""The attention of rows, each to the recorded prefix and to itself, and its way back."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from worker.kn.model.recording import Recording


@dataclass(frozen=True, slots=True)
class Rotation:
    """Rotary position embedding: x₁ c₁ − x₂ s₁ and x₂ c₂ + x₁ s₂ of the halves of each head."""

    cos: Tensor  # (S, R, 1, d_head)
    from_second: Tensor  # (S, R, 1, d_head / 2): what of the second half comes to the first
    from_first: Tensor  # likewise

    @classmethod
    def of(cls, cos: Tensor, sin: Tensor) -> "Rotation":
        """By the model's own cos and sin (S, R, d_head)."""
        first, second = sin[:, :, None].chunk(2, dim=-1)
        return cls(cos[:, :, None], -first, second)

    @property
    def transposed(self) -> "Rotation":
        """The way back."""
        return Rotation(self.cos, self.from_first, self.from_second)

    def __call__(self, heads: Tensor) -> Tensor:
        """Turn heads (S, R, n, d_head)."""
        turned = heads * self.cos
        first, second = heads.chunk(2, dim=-1)
        to_first, to_second = turned.chunk(2, dim=-1)
        to_first.addcmul_(second, self.from_second)
        to_second.addcmul_(first, self.from_first)
        return turned


@dataclass(frozen=True, slots=True)
class Seen:
    """What R rows of S prompts look back at in one block, and how they are turned."""

    keys: Tensor  # (S, n_kv_head, P, d_head)
    values: Tensor
    hidden: Tensor | None  # (S, R, P): true where a row must not look; None when it may everywhere
    rotation: Rotation


@dataclass(frozen=True, slots=True)
class Prefix:
    """What comes strictly before each row, in all blocks."""

    recording: Recording
    positions: Tensor  # (S, R)
    cos: Tensor  # (S, R, d_head), the model's own at the positions
    sin: Tensor

    def seen(self, layer: int, *, rows: int) -> Seen:
        """By the first so many rows in a block."""
        keys, values = self.recording.keys[layer], self.recording.values[layer]
        length = keys.shape[2] - 1
        cos, sin = (angles[:, :rows].to(keys.device) for angles in (self.cos, self.sin))
        return Seen(
            keys=keys[:, :, :length],
            values=values[:, :, :length],
            hidden=self._hidden(length, rows, keys) if self.recording.batch.ragged else None,
            rotation=Rotation.of(cos, sin),
        )

    def _hidden(self, length: int, rows: int, keys: Tensor) -> Tensor:
        places = torch.arange(length, device=keys.device)
        return places >= self.positions[:, :rows, None].to(keys.device)


class QKV(NamedTuple):
    """Queries, keys and values of the rows."""

    query: Tensor  # (S, R, n_head, d_head)
    key: Tensor  # (S, R, n_kv_head, d_head)
    value: Tensor


def attend(qkv: QKV, seen: Seen, *, scaling: float) -> tuple[Tensor, Tensor]:
    """softmax(scaling · q·[K_prefix, k]) · [V_prefix, v], where each row sees of the rows only
    itself: (S, R, n_head · d_head), and the shares (S, n_kv_head, group, R, P + 1), at least
    float32."""
    query, key, value = _grouped(qkv)
    # Scaled before the product, which in half precision has less room.
    scores = _compared(query * scaling, seen.keys, key)
    if seen.hidden is not None:
        least = torch.finfo(scores.dtype).min
        scores[..., :-1].masked_fill_(seen.hidden[:, None, None], least)
    wide = torch.promote_types(scores.dtype, torch.float32)
    share = scores.softmax(dim=-1, dtype=wide)
    return _mixed(share.to(value.dtype), seen.values, value).flatten(2), share


def attend_back(pulled: Tensor, qkv: QKV, share: Tensor, seen: Seen, *, scaling: float) -> QKV:
    """The gradient of queries, keys and values, by that of what `attend` gave."""
    query, key, value = _grouped(qkv)
    pull = pulled.view_as(query)
    slope = _compared(pull, seen.values, value).to(share.dtype).mul_(share)
    slope.addcmul_(share, slope.sum(-1, keepdim=True), value=-1).mul_(scaling)
    to_scores = slope.to(pull.dtype)
    to_query = _mixed(to_scores, seen.keys, key).flatten(2, 3)
    to_key = (query * _by_row(to_scores[..., -1:])).sum(3)
    own_share = _by_row(share[..., -1:].to(pull.dtype))
    return QKV(to_query, to_key, (pull * own_share).sum(3))


def _grouped(qkv: QKV) -> QKV:
    """By the heads that share a key: (S, R, n_kv_head, group, d_head), group 1 of keys, values."""
    query, key, value = qkv
    grouped = query.unflatten(2, (key.shape[2], -1))
    return QKV(grouped, key[:, :, :, None], value[:, :, :, None])


def _compared(rows: Tensor, prefix: Tensor, own: Tensor) -> Tensor:
    """Rows (S, R, n_kv_head, group, d_head) by the prefix (S, n_kv_head, P, d_head), and each by
    its own (S, R, n_kv_head, 1, d_head): (S, n_kv_head, group, R, P + 1)."""
    with_prefix = _times(_by_head(rows), prefix.transpose(-1, -2))
    return torch.cat([with_prefix, _by_head((rows * own).sum(-1, keepdim=True))], dim=-1)


def _mixed(shares: Tensor, prefix: Tensor, own: Tensor) -> Tensor:
    """The prefix and each row's own by shares (S, n_kv_head, group, R, P + 1):
    (S, R, n_kv_head, group, d_head)."""
    of_prefix, of_own = shares.tensor_split([-1], dim=-1)
    mixed = own * _by_row(of_own)
    mixed += _by_row(_times(of_prefix, prefix))
    return mixed


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
