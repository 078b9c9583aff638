"""The row method: every step of every layer rides through the network as one row.

Only the last position of a prompt is changed, and attention is causal, so all earlier positions
keep their keys and values: they are recorded once, and a *row* is the last position alone. Each
row attends to the recorded prefix and to itself. Rows of block l enter after block l, so the batch
grows on the way up; one way up and one way down serve them all. At α = 1 a row is what the prompt
itself has there, in whichever block it enters: one row stands for those of all blocks.

Rows do not mix, so some that count for nothing fill their number up to a multiple of a few: on the
CPU in float32 such products have kernels (`worker.kn.products`), and elsewhere it does no harm.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from contract.memory import filled_rows
from worker.kn.recording import Recording
from worker.kn.resident import Resident
from worker.kn.rows.attention import Prefix
from worker.kn.rows.block import Kept, ride_down, ride_up
from worker.kn.rows.norm import norm_back


class Pulled(NamedTuple):
    """The gradient at the rows of one block, behind it."""

    whole: Tensor  # (S, J, d_model): at the unchanged ones
    entered: Tensor  # (S, r, d_model): at those that enter there


@dataclass(frozen=True, slots=True)
class Ascent:
    """Rows that have reached the top, and how they came there."""

    resident: Resident
    prefix: Prefix
    layers: range  # behind which rows enter
    J: int  # unchanged rows
    r: int  # rows that enter behind a block
    kept: list[Kept]  # by block above the lowest
    rows: Tensor  # (S, R, d_model): J + r · len(layers) of them, and those that fill up
    top: Tensor  # likewise: the final norm's output

    def descend(self, pulled: Tensor) -> Iterator[tuple[int, Pulled]]:
        """The gradient at the rows of each of `layers`, the highest first, by that at `top`.

        Once: what was kept of a block goes with it.
        """
        blocks = self.resident.blocks
        pulled = norm_back(self.resident.final_norm, self.rows, pulled)
        for layer in reversed(range(self.layers.start, len(blocks))):
            pulled = pulled.to(blocks[layer].device)
            if layer in self.layers:
                below = self.J + self.r * (layer - self.layers.start)
                entered = pulled[:, below : below + self.r]
                yield layer, Pulled(pulled[:, : self.J], entered)
                pulled = pulled[:, : filled_rows(below, prompts=len(pulled))]
            if layer > self.layers.start:
                seen = self.prefix.seen(layer, rows=pulled.shape[1])
                pulled = ride_down(blocks[layer], self.kept.pop(), pulled, seen)


def ascend(
    resident: Resident,
    recording: Recording,
    layers: range,
    entering: Callable[[int], Tensor],
    positions: Tensor,
) -> Ascent:
    """Take rows to the top: those of each block of `layers`, `entering(layer)` (S, r, d_model),
    enter behind it. `positions` (S, r) are those of one block's rows, the same for all.

    The unchanged last positions, as the lowest of these blocks leaves them, lead the way: they are
    what every block's row at α = 1 would be. The lowest block's rows come next.
    """
    lowest = recording.traces[layers.start]
    rows, kept = lowest.mid + lowest.out, []
    J, r = rows.shape[1], positions.shape[1]
    prefix = _prefix(resident, recording, positions.repeat(1, len(layers)))
    for layer in range(layers.start, len(resident.blocks)):
        if layer > layers.start:
            block, seen = resident.blocks[layer], prefix.seen(layer, rows=rows.shape[1])
            rows, of_block = ride_up(block, rows.to(block.device), seen)
            kept.append(of_block)
        if layer in layers:
            rows = _joined(rows[:, : J + r * (layer - layers.start)], entering(layer))
    top = resident.final_norm(rows)
    return Ascent(resident, prefix, layers, J, r, kept, rows.to(top.device), top)


def _prefix(resident: Resident, recording: Recording, positions: Tensor) -> Prefix:
    """Of the unchanged rows, of those at `positions`, and of those that fill up, at 0."""
    counted = torch.cat([recording.batch.positions, positions], dim=1)
    filling = filled_rows(counted.shape[1], prompts=len(counted)) - counted.shape[1]
    everywhere = functional.pad(counted, (0, filling))
    return Prefix(recording, everywhere, *resident.rotary(recording.last, everywhere))


def _joined(rows: Tensor, entered: Tensor) -> Tensor:
    """Both, and as many zeros as fill up."""
    S, R, d_model = rows.shape
    R += entered.shape[1]
    filling = rows.new_zeros(S, filled_rows(R, prompts=S) - R, d_model)
    return torch.cat([rows, entered, filling], dim=1)
