"""The resident weights: changed within a `with` block, and given back bit for bit."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.kn.errors import BadRequestError, NoChangeError, NonFiniteError
from worker.kn.model.resident import Resident
from worker.kn.write.adapter import Adapter, LayerWrite


@contextmanager
def edited(resident: Resident, adapter: Adapter) -> Iterator[None]:
    """The model is edited within the block; its columns are then restored from a saved copy.

    Raises `NoChangeError` when rounding leaves every column as it was, `NonFiniteError` when one
    overflows, and `BadRequestError` when the adapter is of a model of another shape.
    """
    after = edited_columns(resident, adapter)
    before = [Columns.of(resident, write) for write in adapter.writes]
    with ExitStack() as putting_back:
        for columns in before * 2:  # whatever one raises; and again, as Ctrl-C may break one off
            putting_back.callback(columns.put_back)
        for write in adapter.writes:
            set_columns(resident, write, after[write.layer])
        yield


@dataclass(frozen=True, slots=True)
class Columns:
    """Some columns of a weight, as they were."""

    weight: Tensor
    units: Tensor
    values: Tensor  # (d_model, len(units))

    @classmethod
    def of(cls, resident: Resident, write: LayerWrite) -> "Columns":
        weight = resident.blocks[write.layer].down_weight.detach()
        units = torch.tensor(write.units, dtype=torch.long, device=weight.device)
        return cls(weight, units, columns_of(resident, write))

    def put_back(self) -> None:
        """Allocates nothing: it is done when memory has run out, too."""
        self.weight.index_copy_(1, self.units, self.values)


def edited_columns(resident: Resident, adapter: Adapter) -> dict[int, Tensor]:
    """What the adapter makes of the columns that it writes, by layer; raises as `edited` does."""
    check_fits(resident, adapter)
    before = {write.layer: columns_of(resident, write) for write in adapter.writes}
    wide = wide_of(resident.dtype)
    after = {w.layer: merged(before[w.layer], adapter.delta(w, wide)) for w in adapter.writes}
    if all(torch.equal(before[layer], after[layer]) for layer in before):
        raise NoChangeError
    if not all(torch.isfinite(columns).all() for columns in after.values()):
        raise NonFiniteError("an edited column")
    return after


def check_fits(resident: Resident, adapter: Adapter) -> None:
    """Raises `BadRequestError` for an adapter of a model of another shape."""
    shape, writes = resident.shape, adapter.writes
    in_layers = all(w.layer < shape.n_layer and len(w.B) == shape.d_model for w in writes)
    if adapter.d_ff != shape.d_ff or not in_layers:
        raise BadRequestError("the adapter is of a model of another shape")


def merged(columns: Tensor, delta: Tensor) -> Tensor:
    """The columns as PEFT's default merge on the CPU makes them: one sum, rounded once."""
    wide = columns.cpu().to(wide_of(columns.dtype))
    return (wide + delta).to(columns.dtype).to(columns.device)


def wide_of(dtype: torch.dtype) -> torch.dtype:
    """In what PEFT multiplies and sums on the CPU for weights of `dtype`."""
    return torch.promote_types(dtype, torch.float32)


def columns_of(resident: Resident, write: LayerWrite) -> Tensor:
    """A copy of the columns that a write changes, (d_model, len(units))."""
    return resident.blocks[write.layer].down_weight.detach()[:, list(write.units)]


@torch.no_grad()
def set_columns(resident: Resident, write: LayerWrite, columns: Tensor) -> None:
    weight = resident.blocks[write.layer].down_weight
    weight[:, list(write.units)] = columns.to(weight.device)
