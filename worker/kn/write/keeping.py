"""Edits kept in the resident weights, one on top of the other, and their removal."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from worker.kn.collect.neuron import Neuron
from worker.kn.errors import AlreadyKeptError, NotKeptError
from worker.kn.model.resident import Resident
from worker.kn.result import EditResult
from worker.kn.write.adapter import LayerWrite
from worker.kn.write.weights import columns_of, edited_columns, merged, set_columns, wide_of


class KeptEdits:
    """The edits that the resident weights carry, the lowest first.

    The pristine columns of everything touched are kept on the CPU. Removing an edit rebuilds its
    columns from them and the remaining edits, in order, so the weights are, bit for bit, what they
    would be if it had never been kept.
    """

    def __init__(self, resident: Resident) -> None:
        self._resident = resident
        self._pristine: dict[Neuron, Tensor] = {}
        self.edits: tuple[EditResult, ...] = ()

    def holds(self, edit: EditResult) -> bool:
        return any(kept.adapter is edit.adapter for kept in self.edits)

    def add(self, edit: EditResult) -> None:
        """Merge an edit on top; if that fails, nothing changes.

        Raises `AlreadyKeptError` and what `edited` raises.
        """
        if self.holds(edit):
            raise AlreadyKeptError
        after = edited_columns(self._resident, edit.adapter)
        self._save(edit)
        self.edits += (edit,)
        try:
            for write in edit.adapter.writes:
                set_columns(self._resident, write, after[write.layer])
        except BaseException:
            self.remove(edit)
            raise

    def remove(self, *edits: EditResult) -> None:
        """Remove edits, wherever they are in the order; if interrupted, it may be called again.

        Raises `NotKeptError`.
        """
        if not all(map(self.holds, edits)):
            raise NotKeptError
        taken = {id(edit.adapter) for edit in edits}
        others = tuple(kept for kept in self.edits if id(kept.adapter) not in taken)
        for edit in edits:
            for write in edit.adapter.writes:
                set_columns(self._resident, write, self._built(write, others))
        self.edits = others
        still = {neuron for kept in others for neuron in kept.adapter.neurons}
        self._pristine = {n: column for n, column in self._pristine.items() if n in still}

    def _save(self, edit: EditResult) -> None:
        for write in edit.adapter.writes:
            columns = columns_of(self._resident, write).cpu()
            for unit, column in zip(write.units, columns.unbind(1), strict=True):
                self._pristine.setdefault(Neuron(write.layer, unit), column.clone())

    def _built(self, write: LayerWrite, edits: Sequence[EditResult]) -> Tensor:
        """The columns that a write changes, as `edits` make them of the pristine ones."""
        columns = torch.stack([self._pristine[Neuron(write.layer, u)] for u in write.units], dim=1)
        for units, delta in _changes(edits, write.layer, wide_of(columns.dtype)):
            place = {unit: i for i, unit in enumerate(units)}
            ours = [i for i, unit in enumerate(write.units) if unit in place]
            if ours:
                theirs = [place[write.units[i]] for i in ours]
                columns[:, ours] = merged(columns[:, ours], delta[:, theirs])
        return columns


def _changes(
    edits: Sequence[EditResult], layer: int, dtype: torch.dtype
) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """The units that each edit writes in a layer, and by how much."""
    for edit in edits:
        for write in edit.adapter.writes:
            if write.layer == layer:
                yield write.units, edit.adapter.delta(write, dtype)
