"""How much the engine takes at a time; the engine and the formula both go by these."""

STATEMENTS_PER_PASS = 8
STATEMENTS_PER_BATCH = 16
PROMPTS_PER_BATCH = 16
HEAD_CHUNK_WORDS = 2048
SAMPLED_TEXTS, SAMPLED_TOKENS = 384, 24
REFERENCE_TOKENS_PER_BATCH = 2048
KEPT_TEXTS, KEPT_TOKENS_PER_TEXT = 16, 32  # reference texts looked at in a step of the search
KEPT_SAYINGS = 16  # and so many of what edits that are kept in the weights say
FEWEST_NEW_TOKENS = 12
