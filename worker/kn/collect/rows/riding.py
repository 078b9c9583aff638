"""The row method: every step of every layer rides through the network as one row.

Only the last position of a prompt is changed, and attention is causal, so all earlier positions
keep their keys and values: they are recorded once, and a *row* is the last position alone. Each
row attends to the recorded prefix and to itself. Rows of block l enter after block l, so the batch
grows on the way up; one way up and one way down serve them all. At α = 1 a row is what the prompt
itself has there, in whichever block it enters: one row stands for those of all blocks.

Rows do not mix, so some that count for nothing fill their number up to a multiple of a few: on the
CPU in float32 such products have kernels (`worker.kn.model.products`); elsewhere it does no harm.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from contract.memory import filled_rows
from worker.kn.collect.rows.attention import Prefix
from worker.kn.collect.rows.block import Saved, ride_down, ride_up
from worker.kn.collect.rows.norm import norm_back
from worker.kn.collect.rows.order import Order, side_by_side
from worker.kn.model.recording import Recording
from worker.kn.model.resident import Resident


@dataclass(frozen=True, slots=True)
class Ascent:
    """Rows that have reached the top, and how they came there."""

    resident: Resident
    prefix: Prefix
    order: Order
    saved: list[Saved]  # by block above the lowest
    rows: Tensor  # (S, R, d_model)
    top: Tensor  # likewise: the final norm's output

    def descend(self, pulled: Tensor) -> Iterator[tuple[int, Tensor]]:
        """The gradient at the rows behind each layer where some enter, the highest first, by that
        at `top`; both (S, R, d_model).

        Once: what was saved of a block goes with it.
        """
        blocks, layers = self.resident.blocks, self.order.layers
        pulled = norm_back(self.resident.final_norm, self.rows, pulled)
        for layer in reversed(range(layers.start, len(blocks))):
            pulled = pulled.to(blocks[layer].device)
            if layer in layers:
                yield layer, pulled
                pulled = pulled[:, : filled_rows(self.order.below(layer), prompts=len(pulled))]
            if layer > layers.start:
                seen = self.prefix.seen(layer, rows=pulled.shape[1])
                pulled = ride_down(blocks[layer], self.saved.pop(), pulled, seen)


def ascend(
    resident: Resident, recording: Recording, order: Order, entering: Callable[[int], Tensor]
) -> Ascent:
    """Take rows to the top: those of each layer, `entering(layer)` (S, J · m, d_model), enter
    behind its block.

    The unchanged last positions, as the lowest of these blocks leaves them, lead the way: they are
    what every block's row at α = 1 would be.
    """
    layers = order.layers
    lowest = recording.traces[layers.start]
    rows, saved = lowest.mid + lowest.out, []
    positions = order.spread(recording.batch.positions)
    prefix = Prefix(recording, positions, *resident.rotary(recording.last, positions))
    for layer in range(layers.start, len(resident.blocks)):
        if layer > layers.start:
            block, seen = resident.blocks[layer], prefix.seen(layer, rows=rows.shape[1])
            rows, of_block = ride_up(block, rows.to(block.device), seen)
            saved.append(of_block)
        if layer in layers:
            rows = side_by_side(rows[:, : order.below(layer)], entering(layer))
    top = resident.final_norm(rows)
    return Ascent(resident, prefix, order, saved, rows.to(top.device), top)
