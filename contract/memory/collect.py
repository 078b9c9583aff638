"""Bytes of attribution: the recording of whole prompts, then forward and backward passes of rows.

Statements with equally long answers share a pass. Of the passes over ranges of layers the first has
the most rows, since those that enter at the bottom go through the whole model; in it, the memory
saved for the backward pass grows with each block, so the peak is at the top: in the head, or early
in the backward pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contract.memory.batch_sizes import HEAD_CHUNK_WORDS, STATEMENTS_PER_PASS, filled_rows
from contract.memory.block import kept_row_bytes, passing_bytes
from contract.memory.items import Item, Stage
from contract.memory.shape import FLOAT32_BYTES, INT64_BYTES, ModelShape
from contract.memory.work import SequenceShape, Workload, alike

HEAD_SUMS = 6
"""Numbers per row, besides P and its factor, that live while the head runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPass:
    """S statements of J answer tokens, padded to N; m rows of each token enter at each layer."""

    S: int
    J: int
    N: int
    m: int
    layers: int
    n_layer: int
    padded: bool

    def rows(self, block: int) -> int:
        """Rows in a block: the unchanged ones, those that entered below it, and padding."""
        per_statement = self.J + self.J * self.m * min(block, self.layers)
        return self.S * filled_rows(per_statement, prompts=self.S)

    @property
    def top(self) -> int:
        """Rows that reach the final norm."""
        return self.rows(self.n_layer)

    @property
    def last(self) -> int:
        """Rows in the topmost block."""
        return self.rows(self.n_layer - 1)

    def kept(self, blocks: int) -> int:
        """Total rows in the blocks that rows go through, up to number `blocks`."""
        return sum(self.rows(block) for block in range(1, blocks))


def collect_stages(shape: ModelShape, work: Workload, layers: int) -> Iterator[Stage]:
    """Every moment of attribution that can be the peak."""
    done = 0
    for statements in (work.attributed, work.attributed_new):
        for together in alike(statements, most=STATEMENTS_PER_PASS):
            yield from _group_stages(shape, work, together, layers, scored=done)
            done += sum(statement.answer_tokens for statement in together)
    yield _selection(shape, work)


def _group_stages(
    shape: ModelShape,
    work: Workload,
    statements: Sequence[SequenceShape],
    layers: int,
    *,
    scored: int,
) -> Iterator[Stage]:
    lengths = {statement.tokens for statement in statements}
    rows = RowPass(
        S=len(statements),
        J=statements[0].answer_tokens,
        N=max(lengths),
        m=work.rows_per_layer,
        layers=layers,
        n_layer=shape.n_layer,
        padded=len(lengths) > 1 or statements[0].answer_tokens > 1,
    )
    recorded = (*_recorded(shape, rows), _scores(shape, scored))
    yield Stage(name="collect_record", items=(*recorded, _prompts(shape, rows)))
    stacked = _scores(shape, scored + 2 * rows.S * rows.J)
    yield Stage(name="collect_scores", items=(*_recorded(shape, rows), stacked))
    saved = (*recorded, _saved_rows(shape, rows, blocks=rows.n_layer))
    yield Stage(name="collect_head", items=(*saved, *_head(shape, rows)))
    yield Stage(name="collect_norm", items=(*saved, *_norm(shape, rows)))
    yield Stage(name="collect_feed_forward", items=(*saved, *_feed_forward(shape, rows)))
    yield Stage(name="collect_attention", items=(*saved, *_attention(shape, rows)))
    left = _saved_rows(shape, rows, blocks=rows.layers)
    spread = _spread(shape, rows, gated=work.gated_unit)
    yield Stage(name="collect_spread", items=(*recorded, left, *spread))


def _recorded(shape: ModelShape, rows: RowPass) -> tuple[Item, ...]:
    b = shape.dtype_bytes
    traced = rows.S * rows.J * (shape.n_layer * (2 * shape.d_model + 3 * shape.d_ff))
    traced += rows.S * rows.J * shape.d_model  # the final norm's result, which the head reads
    return (
        Item(
            name="prefix_cache",
            n_bytes=2 * rows.S * rows.N * shape.d_kv * shape.n_layer * b,
            depends_on="prompts, prompt tokens",
        ),
        Item(
            name="traces",
            n_bytes=traced * b,
            depends_on="prompts, answer tokens",
        ),
    )


def _scores(shape: ModelShape, answer_tokens: int) -> Item:
    return Item(
        name="scores",
        n_bytes=answer_tokens * shape.n_layer * shape.d_ff * shape.wide_bytes,
        depends_on="prompts, answer tokens, layers",
        on_host=True,
    )


def _prompts(shape: ModelShape, rows: RowPass) -> Item:
    return Item(
        name="activations",
        n_bytes=passing_bytes(shape, rows.S * rows.N),
        depends_on="prompts, prompt tokens",
    )


def _saved_rows(shape: ModelShape, rows: RowPass, *, blocks: int) -> Item:
    """What the rows keep: the activations saved in the lowest `blocks` blocks, the final norm's
    input and output, P and its factor."""
    b = shape.dtype_bytes
    streams = 2 * shape.d_model * b + 2 * shape.wide_bytes
    angles = 2 * shape.d_head * b + INT64_BYTES  # and their positions
    kept = rows.kept(blocks) * kept_row_bytes(shape, rows.N - 1)
    return Item(
        name="rows",
        n_bytes=kept + rows.top * (streams + angles),
        depends_on="prompts, answer tokens, steps, layers per pass, prompt tokens",
    )


def _logits(n_bytes: int) -> Item:
    return Item(
        name="logits",
        n_bytes=n_bytes,
        depends_on="prompts, answer tokens, steps, layers per pass, vocabulary",
    )


def _gradients(n_bytes: int) -> Item:
    return Item(
        name="gradients",
        n_bytes=n_bytes,
        depends_on="prompts, answer tokens, steps, layers per pass, prompt tokens",
    )


def _head(shape: ModelShape, rows: RowPass) -> tuple[Item, ...]:
    """The head goes through the vocabulary in chunks and averages its rows in float32: while one
    chunk's logits are computed, the logits and probabilities of the previous chunk are alive."""
    b, d, wide = shape.dtype_bytes, shape.d_model, shape.wide_bytes
    words = min(shape.n_vocab, HEAD_CHUNK_WORDS)
    rounded = b if b < wide else 0
    parts = 3 if shape.n_vocab > words else 2
    logits = words * (parts * wide + rounded)
    averaged = words * (2 * wide + rounded) + d * (wide + b)
    gradient = d * (wide + 2 * b)
    # The answer's id and logit, the largest of the other logits, their logsumexp, …
    sums = INT64_BYTES + HEAD_SUMS * wide
    return (_logits(rows.top * (d * wide + sums + max(logits, averaged, gradient))),)


def _norm(shape: ModelShape, rows: RowPass) -> tuple[Item, ...]:
    """The backward pass of the final norm."""
    b = shape.dtype_bytes
    return (_gradients(rows.top * shape.d_model * (b + _norm_bytes(b))),)


def _norm_bytes(b: int) -> int:
    """Per number in a norm's backward pass: a product and, in half precision, both factors in
    float32."""
    return 3 * FLOAT32_BYTES if b < FLOAT32_BYTES else b


def _feed_forward(shape: ModelShape, rows: RowPass) -> tuple[Item, ...]:
    """The gradients of the gated product and of both factors, and one more factor; or those of both
    factors and at the feed-forward's input."""
    numbers = max(4 * shape.d_ff, 2 * shape.d_ff + 2 * shape.d_model)
    n_bytes = rows.last * numbers * shape.dtype_bytes
    return (_gradients(n_bytes + _streams(shape, rows)),)


def _attention(shape: ModelShape, rows: RowPass) -> tuple[Item, ...]:
    """The largest moment of attention's backward pass."""
    b = shape.dtype_bytes
    wide, rounded = shape.wide_bytes, b if b < FLOAT32_BYTES else 0
    d, d_q, d_kv, probs = shape.d_model, shape.d_q, shape.d_kv, shape.n_head * rows.N
    qkv = d_q + 2 * d_kv  # the gradients of queries, keys and values
    rotated = d + qkv + d_q + d_kv  # with that of the residual stream, and rotated back
    moments = (
        probs * (b + wide) + (d + d_q) * b,  # scores in two parts and as one, or in float32
        probs * (wide + rounded) + shape.n_head * rounded + (d + 2 * d_q + qkv) * b,
        (rotated + 2 * d) * b,
        rotated * b + d_q * _norm_bytes(b) if shape.qk_norm else 0,
        2 * d * b + d * _norm_bytes(b) + 2 * wide,  # two means
    )
    return (_gradients(rows.last * max(moments) + _streams(shape, rows)),)


def _streams(shape: ModelShape, rows: RowPass) -> int:
    """The gradient at the final norm's output, in half precision also that at its input; the sines
    of half a head and the attention mask; and the topmost layer's scores, if rows enter there."""
    b, wide = shape.dtype_bytes, shape.wide_bytes
    n = 2 if b < FLOAT32_BYTES else 1
    scored = rows.S * rows.J * shape.d_ff * wide if rows.layers == rows.n_layer else 0
    sines = shape.d_head // 2 * b
    mask = rows.N - 1 if rows.padded else 0
    return n * rows.top * shape.d_model * b + rows.last * (sines + mask) + scored


def _spread(shape: ModelShape, rows: RowPass, *, gated: bool) -> tuple[Item, ...]:
    """The projection of one layer's gradient onto its units, in float32; for the gated unit before
    the steps are summed."""
    b, wide = shape.dtype_bytes, shape.wide_bytes
    answers, nodes = rows.S * rows.J, rows.S * rows.J * (rows.m + 1)
    units = 4 * nodes + answers if gated else 3 * answers
    spread = units * shape.d_ff * wide + nodes * shape.d_model * (b + wide)
    return (_gradients(spread + _streams(shape, rows)),)


def _selection(shape: ModelShape, work: Workload) -> Stage:
    """The scores of all prompts, and a relative and a stacked copy of one answer's."""
    tokens = [
        sum(statement.answer_tokens for statement in statements)
        for statements in (work.attributed, work.attributed_new)
    ]
    return Stage(name="select", items=(_scores(shape, sum(tokens) + 2 * max(tokens)),))
