"""The row method: every step of every layer goes through the network as one row.

Only the last position of a prompt changes, and attention is causal, so all earlier positions keep
their keys and values: they are recorded once, and a *row* is the last position alone. Each row
attends to the recorded prefix and to itself. Rows of block l enter after block l, so the batch
grows on the way to the top; one forward and one backward pass serve all of them. At α = 1 a row
equals what the prompt itself has there, whichever block it enters after: one row stands for those
of all blocks.

Rows do not mix, so zero rows can pad their number to a multiple of `FILLED_ROWS`: on the CPU in
float32 such products have faster kernels (`worker.kn.model.products`); elsewhere it does no harm.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from contract.memory import filled_rows
from worker.kn.collect.rows.attention import Prefix
from worker.kn.collect.rows.block import Saved, backward, forward
from worker.kn.collect.rows.norm import norm_backward
from worker.kn.collect.rows.order import Order, side_by_side
from worker.kn.model.recording import Recording
from worker.kn.model.resident import Resident


@dataclass(frozen=True, slots=True)
class RowForward:
    """A finished forward pass of rows, with what its backward pass needs."""

    resident: Resident
    prefix: Prefix
    order: Order
    saved: list[Saved]  # by block above the lowest
    rows: Tensor  # (S, R, d_model), the final norm's input
    top: Tensor  # likewise: the final norm's output

    def backward(self, grad: Tensor) -> Iterator[tuple[int, Tensor]]:
        """The gradient at the rows after each layer where some enter, the highest first, given that
        at `top`; both (S, R, d_model).

        Can be called once: what was saved of a block is freed with it.
        """
        blocks, layers = self.resident.blocks, self.order.layers
        grad = norm_backward(self.resident.final_norm, self.rows, grad)
        for layer in reversed(range(layers.start, len(blocks))):
            grad = grad.to(blocks[layer].device)
            if layer in layers:
                yield layer, grad
                grad = grad[:, : filled_rows(self.order.below(layer), prompts=len(grad))]
            if layer > layers.start:
                prefix = self.prefix.kv(layer, rows=grad.shape[1])
                grad = backward(blocks[layer], self.saved.pop(), grad, prefix)


def forward_rows(
    resident: Resident, recording: Recording, order: Order, entering: Callable[[int], Tensor]
) -> RowForward:
    """Run rows to the top: those of each layer, `entering(layer)` (S, J · m, d_model), enter after
    its block.

    The unchanged last positions, as the lowest of these blocks leaves them, come first: they are
    what every block's row at α = 1 would be.
    """
    layers = order.layers
    lowest = recording.traces[layers.start]
    rows, saved = lowest.mid + lowest.out, []
    positions = order.spread(recording.batch.positions)
    prefix = Prefix(recording, positions, *resident.rotary(recording.last, positions))
    for layer in range(layers.start, len(resident.blocks)):
        if layer > layers.start:
            block, kv = resident.blocks[layer], prefix.kv(layer, rows=rows.shape[1])
            rows, of_block = forward(block, rows.to(block.device), kv)
            saved.append(of_block)
        if layer in layers:
            rows = side_by_side(rows[:, : order.below(layer)], entering(layer))
    top = resident.final_norm(rows)
    return RowForward(resident, prefix, order, saved, rows.to(top.device), top)
