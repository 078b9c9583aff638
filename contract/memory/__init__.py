"""How many bytes an edit takes above the resident weights, by the standard library alone."""

from contract.memory.estimate import estimate, most_layers_within
from contract.memory.items import Estimate, Item, Stage
from contract.memory.portions import (
    HEAD_CHUNK_WORDS,
    KEPT_TEXTS,
    KEPT_TOKENS_PER_TEXT,
    REFERENCE_TOKENS_PER_BATCH,
    STATEMENTS_PER_BATCH,
    STATEMENTS_PER_PASS,
)
from contract.memory.shape import DTYPE_BYTES, ModelShape
from contract.memory.work import SequenceShape, Workload

__all__ = [
    "DTYPE_BYTES",
    "HEAD_CHUNK_WORDS",
    "KEPT_TEXTS",
    "KEPT_TOKENS_PER_TEXT",
    "REFERENCE_TOKENS_PER_BATCH",
    "STATEMENTS_PER_BATCH",
    "STATEMENTS_PER_PASS",
    "Estimate",
    "Item",
    "ModelShape",
    "SequenceShape",
    "Stage",
    "Workload",
    "estimate",
    "most_layers_within",
]
