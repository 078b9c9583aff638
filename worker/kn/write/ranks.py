"""Ranks that vLLM takes: an adapter is filled up to one of them on request."""

from contract.memory import VLLM_RANKS, filled_rank
from worker.kn.errors import RankTooLargeError
from worker.kn.write.adapter import Adapter


def padded(adapter: Adapter, *, least: int) -> Adapter:
    """The adapter with ranks of zeros behind its own, of the smallest rank that vLLM takes and that
    is not below `least`; raises `RankTooLargeError`."""
    rank = filled_rank(adapter.rank, least=least)
    if rank is None:
        raise RankTooLargeError(adapter.rank, most=VLLM_RANKS[-1])
    writes = tuple(write.filled(rank) for write in adapter.writes)
    return Adapter(writes, adapter.d_ff, n_padding=rank - adapter.own_rank)
