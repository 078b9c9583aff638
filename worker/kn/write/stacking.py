"""Several adapters as one: their directions side by side, so that any of them can be taken out."""

from collections.abc import Sequence

import torch

from worker.kn.write.adapter import Adapter, LayerWrite
from worker.kn.write.ranks import padded


def joined(adapters: Sequence[Adapter], *, pad_rank: int | None) -> Adapter:
    """All in one, its rank filled up on request; raises `RankTooLargeError`."""
    whole = stacked(adapters) if len(adapters) > 1 else adapters[0]
    return whole if pad_rank is None else padded(whole, least=pad_rank)


def stacked(adapters: Sequence[Adapter]) -> Adapter:
    """ΔW = [B₁ B₂ …] · [A₁; A₂; …], of the sum of all ranks: each adapter has its own of them."""
    d_ff, dtype = adapters[0].d_ff, adapters[0].writes[0].A.dtype
    layers = sorted({write.layer for adapter in adapters for write in adapter.writes})
    return Adapter.of((_layer(adapters, layer) for layer in layers), d_ff=d_ff, dtype=dtype)


def part(adapter: Adapter, *, first: int, end: int) -> Adapter:
    """The adapter of the ranks from `first` up to, not including, `end`."""
    writes = []
    for write in adapter.writes:
        A, B = write.A[first:end], write.B[:, first:end]
        own = A.any(dim=0).nonzero().flatten().tolist()
        if own:
            units = tuple(write.units[i] for i in own)
            writes.append(LayerWrite(write.layer, units, A[:, own], B))
    return Adapter(tuple(writes), adapter.d_ff)


def _layer(adapters: Sequence[Adapter], layer: int) -> LayerWrite:
    """One block's writes over the units of all; an adapter without any takes ranks of zeros."""
    found = [_write(adapter, layer) for adapter in adapters]
    units = tuple(sorted({unit for write in found for unit in write.units}))
    A = torch.cat([w.spread(a.d_ff)[:, list(units)] for w, a in zip(found, adapters, strict=True)])
    return LayerWrite(layer, units, A, torch.cat([write.B for write in found], dim=1))


def _write(adapter: Adapter, layer: int) -> LayerWrite:
    for write in adapter.writes:
        if write.layer == layer:
            return write
    d_model, rank = adapter.writes[0].B.shape
    zeros = adapter.writes[0].A.new_zeros
    return LayerWrite(layer, (), zeros(rank, 0), zeros(d_model, rank))
