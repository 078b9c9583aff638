"""Bytes of evaluation: free generation with a growing cache, and teacher-forced scores."""

from collections.abc import Iterator
from dataclasses import replace

from contract.memory.batch_sizes import PROMPTS_PER_BATCH, STATEMENTS_PER_BATCH
from contract.memory.block import passing_bytes
from contract.memory.items import Item, Stage
from contract.memory.shape import FLOAT32_BYTES, ModelShape
from contract.memory.whole import whole_of
from contract.memory.work import Workload, alike
from contract.memory.writing import adapter, columns_stage, saved_columns


def evaluate_stages(shape: ModelShape, work: Workload) -> Iterator[Stage]:
    """Every moment of the second evaluation, with both edited and original columns in memory."""
    whole = whole_of(shape, work)
    own = () if whole is work else (replace(adapter(shape, work), name="own_adapter"),)
    written = columns_stage(shape, whole, name="evaluate_columns")
    yield replace(written, items=(*written.items, *own))
    edited = (saved_columns(shape, whole), adapter(shape, whole), *own)
    for length, prompts in _together(work).items():
        S = min(prompts, PROMPTS_PER_BATCH)
        read = _passing(shape, S * length)
        yield Stage(name="generate_prompt", items=(*edited, _cache(shape, S, length), read))
        grown = _cache(shape, S, length + work.new_tokens - 1, copied=1)
        yield Stage(name="generate_answer", items=(*edited, grown, _passing(shape, S)))
        yield Stage(name="generate_token", items=(*edited, grown, _said(shape, S)))
    yield from _scored(shape, work, edited)


def _together(work: Workload) -> dict[int, int]:
    """The number of prompts of each length: those are generated from together."""
    lengths = [sequence.prompt_tokens for sequence in work.evaluated]
    return {length: lengths.count(length) for length in dict.fromkeys(lengths)}


def _scored(shape: ModelShape, work: Workload, edited: tuple[Item, ...]) -> Iterator[Stage]:
    for batch in alike(work.evaluated, most=STATEMENTS_PER_BATCH):
        tokens = len(batch) * max(sequence.tokens for sequence in batch)
        predicted = sum(sequence.answer_tokens for sequence in batch)
        yield Stage(name="score_prompt", items=(*edited, _passing(shape, tokens)))
        hidden = Item(  # of all tokens, and a copy of those that predict
            name="activations",
            n_bytes=(tokens + predicted) * shape.d_model * shape.dtype_bytes,
            depends_on="probes, prompt tokens, answer tokens",
        )
        logits = Item(
            name="logits",
            n_bytes=predicted * shape.n_vocab * shape.dtype_bytes,
            depends_on="probes, answer tokens, vocabulary",
        )
        yield Stage(name="score_answer", items=(*edited, hidden, logits))


def _cache(shape: ModelShape, prompts: int, length: int, *, copied: int = 0) -> Item:
    """Keys and values of all blocks; a block's keys are copied where they grow."""
    blocks = 2 * shape.n_layer + copied
    return Item(
        name="generation_cache",
        n_bytes=prompts * length * shape.d_kv * blocks * shape.dtype_bytes,
        depends_on="probes, prompt tokens",
    )


def _passing(shape: ModelShape, tokens: int) -> Item:
    return Item(
        name="activations",
        n_bytes=passing_bytes(shape, tokens),
        depends_on="probes, prompt tokens",
    )


def _said(shape: ModelShape, prompts: int) -> Item:
    """The logits of one token, in the dtype and in float32, beside those of the token before."""
    return Item(
        name="logits",
        n_bytes=prompts * shape.n_vocab * (shape.dtype_bytes + 2 * FLOAT32_BYTES),
        depends_on="probes, vocabulary",
    )
