"""An edit as the model carries it: together with its base, and with its rank padded."""

from dataclasses import replace

from contract.memory.items import Item
from contract.memory.ranks import filled_rank
from contract.memory.shape import ModelShape
from contract.memory.work import Chosen, Workload
from contract.memory.writing import chosen_of, rank_of


def whole_of(shape: ModelShape, work: Workload) -> Workload:
    """The work as if the edit, its base and its padding were written at once; the same work for an
    edit that has neither."""
    if work.base is None and work.pad_rank is None:
        return work
    chosen, rank = chosen_of(shape, work), rank_of(shape, work)
    if work.base is not None:
        chosen, rank = _together(shape, chosen, work.base.chosen), rank + work.base.rank
    if work.pad_rank is not None:
        rank = filled_rank(rank, least=work.pad_rank) or rank
    return replace(work, chosen=chosen, rank=rank, base=None, pad_rank=None)


def _together(shape: ModelShape, one: Chosen, other: Chosen) -> Chosen:
    """An upper bound: no neuron is written by both, and the widest layer is the same."""
    return Chosen(
        neurons=min(one.neurons + other.neurons, shape.n_layer * shape.d_ff),
        widest=min(one.widest + other.widest, shape.d_ff),
        layers=min(one.layers + other.layers, shape.n_layer),
        lowest=min(one.lowest, other.lowest),
    )


def base_columns(shape: ModelShape, work: Workload) -> tuple[Item, ...]:
    """The base's edited columns, and those that they replaced, while the edit is made."""
    if work.base is None:
        return ()
    n_bytes = 2 * work.base.chosen.neurons * shape.d_model * shape.dtype_bytes
    return (Item(name="base_columns", n_bytes=n_bytes, depends_on="base"),)
