"""The order of rows within a batch."""

from dataclasses import dataclass

import torch
from torch import Tensor

from contract.memory import filled_rows


@dataclass(frozen=True, slots=True)
class Order:
    """The unchanged rows of J answer tokens; then, layer by layer from the lowest, m rows of each
    token; then zero rows as padding, which nothing reads."""

    layers: range  # after which rows enter
    J: int
    m: int

    def below(self, layer: int) -> int:
        """How many rows, without padding, have entered before this layer's own."""
        return self.J + self.J * self.m * (layer - self.layers.start)

    def spread(self, values: Tensor) -> Tensor:
        """Each token's value, (S, J), repeated for all its rows: (S, R)."""
        entered = values.repeat_interleave(self.m, dim=1).repeat(1, len(self.layers))
        return side_by_side(values, entered)

    def at(self, layer: int, values: Tensor) -> Tensor:
        """The part of values (S, R, …) that belongs to a layer's rows, each token's unchanged row
        after the m that entered there: (S, J, m + 1, …)."""
        entered = values[:, self.below(layer) : self.below(layer + 1)]
        own = entered.unflatten(1, (self.J, self.m))
        return torch.cat([own, values[:, : self.J, None]], dim=2)


def side_by_side(rows: Tensor, entered: Tensor) -> Tensor:
    """Both, (S, R, …) and (S, r, …), and zero rows as padding (`filled_rows`)."""
    S, R = len(rows), rows.shape[1] + entered.shape[1]
    padding = rows.new_zeros(S, filled_rows(R, prompts=S) - R, *rows.shape[2:])
    return torch.cat([rows, entered, padding], dim=1)
