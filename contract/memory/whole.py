"""What an edit leaves in the model: its own adapter, or one with its base's, its rank filled up."""

from dataclasses import replace

from contract.memory.items import Item
from contract.memory.shape import ModelShape
from contract.memory.work import Chosen, Workload
from contract.memory.writing import chosen_of, rank_of

VLLM_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What `--max-lora-rank` may be; older versions know neither 1 nor 320 and beyond."""


def filled_rank(rank: int, *, least: int) -> int | None:
    """The smallest rank that vLLM takes and that is not below either; None where there is none."""
    return next((filled for filled in VLLM_RANKS if filled >= max(least, rank)), None)


def whole_of(shape: ModelShape, work: Workload) -> Workload:
    """The work as if all that the model is given were written at once; the same work where that is
    the edit alone."""
    if work.base is None and work.pad_rank is None:
        return work
    chosen, rank = chosen_of(shape, work), rank_of(shape, work)
    if work.base is not None:
        chosen, rank = _together(shape, chosen, work.base.chosen), rank + work.base.rank
    if work.pad_rank is not None:
        rank = filled_rank(rank, least=work.pad_rank) or rank
    return replace(work, chosen=chosen, rank=rank, base=None, pad_rank=None)


def _together(shape: ModelShape, one: Chosen, other: Chosen) -> Chosen:
    """At the most: no neuron is written by both, and the widest layer is the same."""
    return Chosen(
        neurons=min(one.neurons + other.neurons, shape.n_layer * shape.d_ff),
        widest=min(one.widest + other.widest, shape.d_ff),
        layers=min(one.layers + other.layers, shape.n_layer),
        lowest=min(one.lowest, other.lowest),
    )


def base_columns(shape: ModelShape, work: Workload) -> tuple[Item, ...]:
    """What the base has edited, and what that replaced, while the edit is made on it."""
    if work.base is None:
        return ()
    n_bytes = 2 * work.base.chosen.neurons * shape.d_model * shape.dtype_bytes
    return (Item(name="base_columns", n_bytes=n_bytes, depends_on="base"),)
