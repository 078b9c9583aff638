"""Ranks that vLLM takes: an adapter is filled up to one of them on request."""

import torch

from contract.memory import VLLM_RANKS, filled_rank
from worker.kn.adapter import Adapter, LayerWrite
from worker.kn.errors import RankTooLargeError


def padded(adapter: Adapter, *, least: int) -> Adapter:
    """The adapter with ranks of zeros behind its own, of the smallest rank that vLLM takes and that
    is not below `least`; raises `RankTooLargeError`."""
    rank = filled_rank(adapter.rank, least=least)
    if rank is None:
        raise RankTooLargeError(adapter.rank, most=VLLM_RANKS[-1])
    missing = rank - adapter.rank
    return Adapter(
        tuple(_filled(write, missing) for write in adapter.writes), adapter.d_ff, n_padding=missing
    )


def _filled(write: LayerWrite, missing: int) -> LayerWrite:
    A = torch.nn.functional.pad(write.A, (0, 0, 0, missing))
    B = torch.nn.functional.pad(write.B, (0, missing))
    return LayerWrite(write.layer, write.units, A, B)
