"""How many bytes an edit takes above the resident weights, by the standard library alone."""

from contract.memory.batch_sizes import (
    DEFAULT_MAX_NEURONS,
    FEWEST_NEW_TOKENS,
    FILLED_ROWS,
    HEAD_CHUNK_WORDS,
    PRESERVED_SAYINGS,
    PRESERVED_TEXTS,
    PRESERVED_TOKENS_PER_TEXT,
    PROMPTS_PER_BATCH,
    RESPELLED_TOKENS,
    SAMPLED_TEXTS,
    SAMPLED_TOKENS,
    STATEMENTS_PER_BATCH,
    STATEMENTS_PER_PASS,
    filled_rows,
    parted,
    references_at_once,
)
from contract.memory.composing import Composing
from contract.memory.errors import ExcessError, ran_out
from contract.memory.estimate import estimate, estimate_composition
from contract.memory.fitting import Fit, at_worst, fit, least_of
from contract.memory.items import Estimate, Item, Stage
from contract.memory.prompts import UNSPACED_SCRIPTS, as_run, distinct, followed, is_of
from contract.memory.ranks import VLLM_RANKS, filled_rank
from contract.memory.references import SAMPLED, PreservedBatch, References, preserved_of
from contract.memory.shape import DTYPE_BYTES, FAMILIES, ModelShape
from contract.memory.work import (
    AdapterShape,
    Chosen,
    Nodes,
    SequenceShape,
    Workload,
    Write,
)

__all__ = [
    "DEFAULT_MAX_NEURONS",
    "DTYPE_BYTES",
    "FAMILIES",
    "FEWEST_NEW_TOKENS",
    "FILLED_ROWS",
    "HEAD_CHUNK_WORDS",
    "PRESERVED_SAYINGS",
    "PRESERVED_TEXTS",
    "PRESERVED_TOKENS_PER_TEXT",
    "PROMPTS_PER_BATCH",
    "RESPELLED_TOKENS",
    "SAMPLED",
    "SAMPLED_TEXTS",
    "SAMPLED_TOKENS",
    "STATEMENTS_PER_BATCH",
    "STATEMENTS_PER_PASS",
    "UNSPACED_SCRIPTS",
    "VLLM_RANKS",
    "AdapterShape",
    "Chosen",
    "Composing",
    "Estimate",
    "ExcessError",
    "Fit",
    "Item",
    "ModelShape",
    "Nodes",
    "PreservedBatch",
    "References",
    "SequenceShape",
    "Stage",
    "Workload",
    "Write",
    "as_run",
    "at_worst",
    "distinct",
    "estimate",
    "estimate_composition",
    "filled_rank",
    "filled_rows",
    "fit",
    "followed",
    "is_of",
    "least_of",
    "parted",
    "preserved_of",
    "ran_out",
    "references_at_once",
]
