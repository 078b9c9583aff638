"""The engine's batch sizes and limits, which the memory formula shares."""

import math
from itertools import pairwise

STATEMENTS_PER_PASS = 8
STATEMENTS_PER_BATCH = 16
PROMPTS_PER_BATCH = 16
HEAD_CHUNK_WORDS = 2048
SAMPLED_TEXTS, SAMPLED_TOKENS = 384, 24
REFERENCE_TOKENS_PER_BATCH = 2048
PRESERVED_TEXTS = 16  # of each part of the references
PRESERVED_TOKENS_PER_TEXT = 32
PRESERVED_SAYINGS = 16  # texts that earlier edits say
RESPELLED_TOKENS = 8  # by which a prompt may grow with its subject in the other spelling
FEWEST_NEW_TOKENS = 12
REFERENCE_PARTS = 4
DEFAULT_MAX_NEURONS = 4096  # of `calibrated`; the other methods have no limit of their own
FILLED_ROWS = 8


def parted(n: int) -> list[range]:
    """References 0 to n − 1 in the parts that are preserved in turn: neighbours, which may concern
    the same subject, stay together; the sizes differ by one at most, the first is a largest."""
    parts = min(n, REFERENCE_PARTS)
    starts = [math.ceil(n * part / parts) for part in range(parts)]
    return [range(start, end) for start, end in pairwise([*starts, n])]


def references_at_once(tokens: int) -> int:
    """How many references of `tokens` tokens are run together."""
    return max(1, REFERENCE_TOKENS_PER_BATCH // tokens)


def filled_rows(rows: int, *, prompts: int) -> int:
    """Rows per prompt, rounded up so that their total is a multiple of `FILLED_ROWS`: few distinct
    shapes need few kernels."""
    together = FILLED_ROWS // math.gcd(FILLED_ROWS, prompts)
    return math.ceil(rows / together) * together
