"""Ranks of adapters that vLLM accepts."""

VLLM_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The values of `--max-lora-rank`; older versions lack 1, and 320 and above."""


def filled_rank(rank: int, *, least: int) -> int | None:
    """The smallest rank that vLLM accepts, at least `rank` and `least`; None if there is none."""
    return next((filled for filled in VLLM_RANKS if filled >= max(least, rank)), None)
