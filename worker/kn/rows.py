"""The row method: every step of every layer rides through the network as one row.

Only the last position of a prompt is changed, and attention is causal, so all earlier positions
keep their keys and values: they are recorded once, and a *row* is the last position alone. Each
row attends to the recorded prefix and to itself. Rows of block l enter after block l, so the batch
grows on the way up; one forward and one backward pass serve them all. At α = 1 a row is what the
prompt itself has there, in whichever block it enters: one row stands for those of all blocks.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

from worker.kn.recording import Recording
from worker.kn.resident import Resident

ROWS = "palimpsest_rows"


@dataclass(frozen=True, slots=True)
class Prefix:
    """What the rows may look back at."""

    keys: tuple[Tensor, ...]  # by block: (S, n_kv_head, P, d_head)
    values: tuple[Tensor, ...]
    hidden: Tensor | None  # (S, R, P): true where a row must not look; None when it may everywhere

    @classmethod
    def of(cls, recording: Recording, positions: Tensor) -> "Prefix":
        """The prefix of rows at `positions` (S, R): all that comes strictly before each."""
        length = recording.batch.ids.shape[1] - 1
        hidden = torch.arange(length, device=positions.device) >= positions[..., None]
        return cls(
            keys=tuple(keys[:, :, :length] for keys in recording.keys),
            values=tuple(values[:, :, :length] for values in recording.values),
            hidden=hidden if recording.batch.ragged else None,
        )


def attend_rows(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    prefix: Prefix,
    **_: Any,
) -> tuple[Tensor, None]:
    """softmax(q·[K_prefix, k]) · [V_prefix, v], where each row sees of the rows only itself.

    query (S, n_head, R, d_head), key and value (S, n_kv_head, R, d_head);
    returns (S, R, n_head, d_head). A model's own layer calls it through `AttentionInterface`.
    """
    S, n_head, R, d_head = query.shape
    n_kv_head = key.shape[1]
    layer: int = module.layer_idx  # type: ignore[assignment]
    K, V = prefix.keys[layer], prefix.values[layer]
    q = query.reshape(S, n_kv_head, -1, R, d_head)  # (S, n_kv_head, group, R, d_head)
    before = q.flatten(2, 3) @ K.transpose(-1, -2)  # (S, n_kv_head, group · R, P)
    before = before.unflatten(2, (-1, R))
    if prefix.hidden is not None:
        hidden = prefix.hidden[:, None, None, :R].to(before.device)
        before = before.masked_fill(hidden, torch.finfo(before.dtype).min)
    itself = (q * key[:, :, None]).sum(-1, keepdim=True)  # (S, n_kv_head, group, R, 1)
    scores = torch.cat([before, itself], dim=-1) * scaling
    share = scores.softmax(dim=-1, dtype=_wide(scores.dtype)).to(scores.dtype)
    of_prefix, of_itself = share.split([share.shape[-1] - 1, 1], dim=-1)
    seen = (of_prefix.flatten(2, 3) @ V).unflatten(2, (-1, R))
    mixed = seen + of_itself * value[:, :, None]
    return mixed.reshape(S, n_head, R, d_head).transpose(1, 2), None


AttentionInterface.register(ROWS, attend_rows)


@contextmanager
def row_attention(resident: Resident) -> Iterator[None]:
    """The model's layers attend as rows meanwhile."""
    config: Any = resident.model.config
    usual = config._attn_implementation
    config._attn_implementation = ROWS
    try:
        yield
    finally:
        config._attn_implementation = usual


@dataclass(frozen=True, slots=True)
class Ascent:
    """Rows that have reached the top."""

    top: Tensor  # (S, J + r · len(entries), d_model): the final norm's output
    whole: tuple[Tensor, ...]  # by entry: (S, J, d_model), the unchanged rows after that block


def ascend(
    resident: Resident,
    recording: Recording,
    whole: Tensor,
    entries: Mapping[int, Tensor],
    positions: Tensor,
) -> Ascent:
    """Take rows to the top: those of block l, (S, r, d_model), enter after it.

    `positions` (S, r) are those of one block's rows, the same for all. The unchanged last positions
    `whole` (S, J, d_model), as the lowest of these blocks leaves them, lead the way: they are what
    every block's row at α = 1 would be. The lowest block's rows come next.
    """
    J = whole.shape[1]
    everywhere = torch.cat([recording.batch.positions, positions.repeat(1, len(entries))], dim=1)
    prefix = Prefix.of(recording, everywhere)
    cos, sin = resident.rotary(recording.last, everywhere)
    rows, led = whole, []
    with row_attention(resident):
        for layer in range(min(entries), len(resident.blocks)):
            if layer > min(entries):
                R = rows.shape[1]
                rows = resident.blocks[layer].module(
                    rows,
                    position_embeddings=(cos[:, :R].to(rows.device), sin[:, :R].to(rows.device)),
                    prefix=prefix,
                )
            if layer in entries:
                rows = rows.to(entries[layer].device)
                led.append(rows[:, :J].clone())  # a view would keep the rows of the whole block
                rows = torch.cat([led[-1], rows[:, J:], entries[layer]], dim=1)
    return Ascent(resident.final_norm(rows), tuple(led))


def _wide(dtype: torch.dtype) -> torch.dtype:
    """Softmax is taken in at least float32, as the families' own attention does."""
    return torch.promote_types(dtype, torch.float32)
