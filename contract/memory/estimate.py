"""How many bytes an edit takes above the resident weights, item by item.

Standard library only: the API asks before a job exists, the worker asks again with exact token
counts. Every figure is an upper bound meant to be tight. `R` below is the number of rows that the
highest block of a pass carries, `P` the padded prefix length, `S` the number of sequences.
"""

from contract.memory.items import Estimate, Item, Stage
from contract.memory.portions import (
    GENERATED_TOKENS,
    HEAD_CHUNK_WORDS,
    KEPT_TEXTS,
    KEPT_TOKENS_PER_TEXT,
    REFERENCE_TOKENS_PER_BATCH,
    STATEMENTS_PER_BATCH,
    STATEMENTS_PER_PASS,
)
from contract.memory.shape import FLOAT32_BYTES, ModelShape
from contract.memory.work import SequenceShape, Workload


def _collect(shape: ModelShape, work: Workload, layers: int) -> Stage:
    """Integrated gradients: statements with equally long answers ride together, the largest
    group binds, in the pass that starts at block 0 and ends at the top."""
    lengths = {sequence.answer_tokens for sequence in work.attributed}
    groups = [[s for s in work.attributed if s.answer_tokens == length] for length in lengths]
    stages = [_collect_group(shape, work, group, layers) for group in groups]
    return max(stages, key=lambda stage: stage.n_bytes)


def _collect_group(
    shape: ModelShape, work: Workload, group: list[SequenceShape], layers: int
) -> Stage:
    S = min(len(group), STATEMENTS_PER_PASS)
    N = max(sequence.tokens for sequence in group)
    J = group[0].answer_tokens
    entering = S * J * (work.steps + 2)  # rows at α = 0 and 1, for the check of completeness
    row_blocks = sum(min(above, layers) for above in range(1, shape.n_layer)) * entering
    top_rows = entering * layers
    b = shape.dtype_bytes
    answer_tokens = sum(sequence.answer_tokens for sequence in work.attributed)
    score_bytes = shape.n_layer * shape.d_ff * max(b, FLOAT32_BYTES)
    gate = 4 * entering * shape.d_ff * FLOAT32_BYTES if work.gated_unit else 0
    return Stage(
        name="collect",
        items=(
            Item(
                name="prefix_cache",
                n_bytes=2 * S * N * shape.d_kv * shape.n_layer * b,
                depends_on="prompts, prompt tokens",
            ),
            Item(
                name="traces",
                n_bytes=S * J * (2 * shape.d_model + 3 * shape.d_ff) * shape.n_layer * b,
                depends_on="prompts, answer tokens",
            ),
            Item(
                name="rows",
                n_bytes=row_blocks * _row_bytes(shape, N),
                depends_on="prompts, answer tokens, steps, layers per pass, prompt tokens",
            ),
            Item(
                name="entries_and_gradients",
                n_bytes=top_rows * shape.d_model * (5 * b + 3 * FLOAT32_BYTES),
                depends_on="prompts, answer tokens, steps, layers per pass",
            ),
            Item(
                name="logits",
                n_bytes=top_rows * min(shape.n_vocab, HEAD_CHUNK_WORDS) * (2 * FLOAT32_BYTES + b),
                depends_on="vocabulary",
            ),
            Item(
                name="scores",
                n_bytes=2 * answer_tokens * score_bytes + gate,
                depends_on="prompts, answer tokens, layers",
            ),
        ),
    )


def _row_bytes(shape: ModelShape, prefix: int) -> int:
    """What autograd keeps of one row in one block whose weights ask for no gradient: the inputs of
    both norms, q·k and v of the row itself, the attention's shares, and the gated product."""
    b = shape.dtype_bytes
    copied = FLOAT32_BYTES if b < FLOAT32_BYTES else 0  # norms and softmax compute in float32
    norms = 2 * shape.d_model * (b + copied)
    projections = (shape.d_q + 2 * shape.d_kv) * b
    attention = shape.n_head * (prefix + 1) * (b + copied)
    return norms + projections + attention + 3 * shape.d_ff * b


def _write(shape: ModelShape, work: Workload) -> Stage:
    """Whitening of the collected neurons, and the search for the write's strength."""
    k = min(work.max_neurons, shape.n_layer * shape.d_ff)
    widest = min(k, shape.d_ff)
    rank = max(sequence.answer_tokens for sequence in work.written)
    longest = 1 + max(sequence.tokens for sequence in work.written)  # with the answer's ending
    written = min(len(work.written), STATEMENTS_PER_PASS) * longest
    kept = min(work.reference_rows, KEPT_TEXTS * KEPT_TOKENS_PER_TEXT) + work.protected_tokens
    tokens = max(written, 2 * kept)  # texts are padded to the longest
    b = shape.dtype_bytes
    return Stage(
        name="write",
        items=(
            Item(
                name="collected_set",
                n_bytes=k * (2 * work.reference_rows + 2 * rank) * FLOAT32_BYTES,
                depends_on="max_neurons, reference rows",
            ),
            Item(
                name="reference_pass",
                n_bytes=min(work.reference_rows, REFERENCE_TOKENS_PER_BATCH)
                * (4 * shape.d_ff + 8 * shape.d_model)
                * b,
                depends_on="reference rows",
            ),
            Item(
                name="solve",
                n_bytes=3 * widest * widest * FLOAT32_BYTES,
                depends_on="max_neurons",
            ),
            Item(
                name="search",
                n_bytes=tokens * shape.n_layer * _row_bytes(shape, longest)
                + 4 * shape.n_layer * rank * shape.d_model * FLOAT32_BYTES,
                depends_on="prompts, prompt tokens, answer tokens, reference rows",
            ),
            Item(
                name="logits",
                n_bytes=4 * max(rank * len(work.written), kept) * shape.n_vocab * FLOAT32_BYTES,
                depends_on="prompts, answer tokens, reference rows, vocabulary",
            ),
            Item(
                name="saved_columns",
                n_bytes=k * shape.d_model * (2 * b + FLOAT32_BYTES),
                depends_on="max_neurons",
            ),
        ),
    )


def _evaluate(shape: ModelShape, work: Workload) -> Stage:
    """Free generation and teacher-forced scores, a batch of prompts at a time."""
    S = min(max(len(work.evaluated), 1), STATEMENTS_PER_BATCH)
    longest = max((sequence.tokens for sequence in work.evaluated), default=1)
    tokens = longest + GENERATED_TOKENS
    b = shape.dtype_bytes
    return Stage(
        name="evaluate",
        items=(
            Item(
                name="generation_cache",
                n_bytes=4 * S * tokens * shape.d_kv * shape.n_layer * b,
                depends_on="probes, prompt tokens",
            ),
            Item(
                name="activations",
                n_bytes=S * tokens * (4 * shape.d_ff + 8 * shape.d_model) * b,
                depends_on="probes, prompt tokens",
            ),
            Item(
                name="logits",
                n_bytes=3 * S * tokens * shape.n_vocab * FLOAT32_BYTES,
                depends_on="probes, vocabulary",
            ),
        ),
    )


def estimate(shape: ModelShape, work: Workload, *, layers_per_pass: int) -> Estimate:
    """The bytes of every stage of an edit when so many layers ride per pass."""
    stages = (_collect(shape, work, layers_per_pass), _write(shape, work), _evaluate(shape, work))
    return Estimate(layers_per_pass=layers_per_pass, stages=stages)


def most_layers_within(shape: ModelShape, work: Workload, *, budget_bytes: int) -> int | None:
    """The most layers per pass that fit; None when not even one does."""
    for layers in range(shape.n_layer, 0, -1):
        if estimate(shape, work, layers_per_pass=layers).peak_bytes <= budget_bytes:
            return layers
    return None
