"""How much the engine takes at a time; the engine and the formula both go by these."""

import math
from itertools import pairwise

STATEMENTS_PER_PASS = 8
STATEMENTS_PER_BATCH = 16
PROMPTS_PER_BATCH = 16
HEAD_CHUNK_WORDS = 2048
SAMPLED_TEXTS, SAMPLED_TOKENS = 384, 24
REFERENCE_TOKENS_PER_BATCH = 2048
PRESERVED_TEXTS, PRESERVED_TOKENS_PER_TEXT = (
    16,
    32,
)  # so many texts of a part of the references are held
RESPELLED_TOKENS = 8  # so many more may a prompt have with its subject spelled the other way
PRESERVED_SAYINGS = 16  # and so many of what earlier edits say
FEWEST_NEW_TOKENS = 12
REFERENCE_PARTS = 4
FILLED_ROWS = 8


def parted(n: int) -> list[range]:
    """References 0 to n − 1 in the parts that are held in turn: neighbours together, which may tell
    of the same, and as many in each part, or one more in some, the first among them."""
    parts = min(n, REFERENCE_PARTS)
    starts = [math.ceil(n * part / parts) for part in range(parts)]
    return [range(start, end) for start, end in pairwise([*starts, n])]


def references_at_once(tokens: int) -> int:
    """How many references of so many tokens are run together."""
    return max(1, REFERENCE_TOKENS_PER_BATCH // tokens)


def filled_rows(rows: int, *, prompts: int) -> int:
    """At least so many rows of each prompt, so that all together are a multiple of `FILLED_ROWS`:
    products of few heights need few kernels."""
    together = FILLED_ROWS // math.gcd(FILLED_ROWS, prompts)
    return math.ceil(rows / together) * together
