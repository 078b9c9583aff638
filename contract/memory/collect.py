"""Bytes of attribution: the recording of whole prompts, and the rows that ride above it.

Statements with equally long answers ride together. Of the passes over blocks of layers the first
has the most rows, since those that enter at the bottom go through the whole model; in it, autograd
keeps the more the higher the rows are, so that the peak is in the topmost block, on the way up or
as the gradient comes down.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contract.memory.items import Item, Stage
from contract.memory.layers import kept_row_bytes, passing_bytes
from contract.memory.portions import HEAD_CHUNK_WORDS, STATEMENTS_PER_PASS
from contract.memory.shape import FLOAT32_BYTES, INT64_BYTES, ModelShape
from contract.memory.work import SequenceShape, Workload, alike

HEAD_SUMS = 6
"""Numbers of a row that are there, besides P and its factor, while the head goes on."""


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

    @property
    def entering(self) -> int:
        """Rows that enter at one layer."""
        return self.S * self.J * self.m

    def rows(self, block: int) -> int:
        """Rows in a block: the unchanged ones, and those that entered below it."""
        return self.S * self.J + self.entering * min(block, self.layers)

    @property
    def top(self) -> int:
        """Rows that reach the final norm."""
        return self.rows(self.n_layer)

    @property
    def last(self) -> int:
        """Rows in the topmost block."""
        return self.rows(self.n_layer - 1)

    @property
    def below(self) -> int:
        """Rows in all blocks under the topmost, added up."""
        return sum(self.rows(block) for block in range(1, self.n_layer - 1))

    @property
    def led(self) -> int:
        """Unchanged rows: those that set out, and those of each block after which others enter,
        stay until the end."""
        return self.S * self.J * (1 + self.layers)


def collect_stages(shape: ModelShape, work: Workload, layers: int) -> Iterator[Stage]:
    """Every moment of attribution that may be the peak."""
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
    ride = RowPass(
        S=len(statements),
        J=statements[0].answer_tokens,
        N=max(lengths),
        m=work.rows_per_layer,
        layers=layers,
        n_layer=shape.n_layer,
        padded=len(lengths) > 1 or statements[0].answer_tokens > 1,
    )
    recorded = (*_recorded(shape, ride), _scores(shape, scored))
    yield Stage(name="collect_record", items=(*recorded, _prompts(shape, ride)))
    stacked = _scores(shape, scored + 2 * ride.S * ride.J)
    yield Stage(name="collect_scores", items=(*_recorded(shape, ride), stacked))
    riding = (*recorded, *_riding(shape, ride))
    yield Stage(name="collect_head", items=(*riding, *_head(shape, ride)))
    yield Stage(name="collect_norm", items=(*riding, *_norm(shape, ride)))
    yield Stage(name="collect_feed_forward", items=(*riding, *_feed_forward(shape, ride)))
    yield Stage(name="collect_attention", items=(*riding, *_attention(shape, ride)))
    if work.gated_unit:
        yield Stage(name="collect_gate", items=(*recorded, *_gate(shape, ride)))


def _recorded(shape: ModelShape, ride: RowPass) -> tuple[Item, ...]:
    b = shape.dtype_bytes
    traced = ride.S * ride.J * (shape.n_layer * (2 * shape.d_model + 3 * shape.d_ff))
    traced += ride.S * ride.J * shape.d_model  # the final norm's result, which the head reads
    return (
        Item(
            name="prefix_cache",
            n_bytes=2 * ride.S * ride.N * shape.d_kv * shape.n_layer * b,
            depends_on="prompts, prompt tokens",
        ),
        Item(
            name="traces",
            n_bytes=traced * b,
            depends_on="prompts, answer tokens",
        ),
    )


def _scores(shape: ModelShape, answer_tokens: int) -> Item:
    wide = max(shape.dtype_bytes, FLOAT32_BYTES)
    return Item(
        name="scores",
        n_bytes=answer_tokens * shape.n_layer * shape.d_ff * wide,
        depends_on="prompts, answer tokens, layers",
        on_host=True,
    )


def _prompts(shape: ModelShape, ride: RowPass) -> Item:
    return Item(
        name="activations",
        n_bytes=passing_bytes(shape, ride.S * ride.N),
        depends_on="prompts, prompt tokens",
    )


def _riding(shape: ModelShape, ride: RowPass) -> tuple[Item, ...]:
    """What stays of the rows in the blocks under the topmost, and of those still to enter."""
    b = shape.dtype_bytes
    prefix = ride.N - 1
    angles = 2 * ride.top * shape.d_head * b
    hidden = ride.top * prefix if ride.padded else 0
    streams = ride.led * shape.d_model * b
    answers = ride.top * (INT64_BYTES + 2 * max(b, FLOAT32_BYTES))  # with P and its factor
    beside = streams + angles + hidden + answers
    return (
        Item(
            name="rows",
            n_bytes=ride.below * kept_row_bytes(shape, prefix) + beside,
            depends_on="prompts, answer tokens, steps, layers per pass, prompt tokens",
        ),
        Item(
            name="entries",
            n_bytes=ride.entering * ride.layers * shape.d_model * b,
            depends_on="prompts, answer tokens, steps, layers per pass",
        ),
    )


def _topmost(ride: RowPass, row_bytes: int) -> Item:
    return Item(
        name="topmost_rows",
        n_bytes=ride.last * row_bytes,
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


def _head(shape: ModelShape, ride: RowPass) -> tuple[Item, ...]:
    """All rows are kept; the head takes the vocabulary in parts, and averages its words' rows in
    float32: while a part's logits are made, those and the shares of the part before are there."""
    b, d, wide = shape.dtype_bytes, shape.d_model, max(shape.dtype_bytes, FLOAT32_BYTES)
    words = min(shape.n_vocab, HEAD_CHUNK_WORDS)
    rounded = b if b < wide else 0
    parts = 3 if shape.n_vocab > words else 2
    logits = words * (parts * wide + rounded)
    averaged = words * (2 * wide + rounded) + d * (wide + b)
    gradient = d * (wide + 2 * b)
    sums = HEAD_SUMS * wide  # the answer's logit, of the others the largest and their logsumexp, …
    per_row = d * wide + sums + max(logits, averaged, gradient)
    read = d * (FLOAT32_BYTES + b)  # the final norm's input and result
    return (_topmost(ride, kept_row_bytes(shape, ride.N - 1)), _logits(ride.top * (per_row + read)))


def _norm(shape: ModelShape, ride: RowPass) -> tuple[Item, ...]:
    """The gradient comes down through the final norm: five times the rows in float32, besides the
    norm's input, its result, and the gradient there."""
    per_row = shape.d_model * (6 * FLOAT32_BYTES + 2 * shape.dtype_bytes)
    return (
        _topmost(ride, kept_row_bytes(shape, ride.N - 1)),
        _gradients(ride.top * per_row),
    )


def _feed_forward(shape: ModelShape, ride: RowPass) -> tuple[Item, ...]:
    """The gradients of the gated product and of both its factors."""
    b = shape.dtype_bytes
    streams = _streams(shape, ride)
    return (
        _topmost(ride, kept_row_bytes(shape, ride.N - 1)),
        _gradients(ride.last * 3 * shape.d_ff * b + streams),
    )


def _attention(shape: ModelShape, ride: RowPass) -> tuple[Item, ...]:
    """The gradient of the rows' shares, beside softmax's result; what the topmost block's
    feed-forward kept is gone."""
    b, wide = shape.dtype_bytes, max(shape.dtype_bytes, FLOAT32_BYTES)
    kept = shape.d_model * FLOAT32_BYTES + (shape.d_q + shape.d_kv) * b
    share = shape.n_head * ride.N * 3 * wide
    streams = _streams(shape, ride) + ride.last * (shape.d_model + shape.d_q) * b
    return (_topmost(ride, kept), _gradients(ride.last * share + streams))


def _streams(shape: ModelShape, ride: RowPass) -> int:
    """The final norm's result, and the gradients on both of its sides; where rows enter at the
    top, the gradient of those in the topmost block is a copy."""
    copied = ride.last if ride.layers == ride.n_layer else 0
    return (3 * ride.top + copied) * shape.d_model * shape.dtype_bytes


def _gate(shape: ModelShape, ride: RowPass) -> tuple[Item, ...]:
    """One layer's gradient is spread over its units before the steps are summed, in float32."""
    wide = max(shape.dtype_bytes, FLOAT32_BYTES)
    nodes = ride.S * ride.J * (ride.m + 1)
    return (_gradients(nodes * (4 * shape.d_ff * wide)),)


def _selection(shape: ModelShape, work: Workload) -> Stage:
    """The scores of all prompts, and those of one answer compared and stacked."""
    tokens = [
        sum(statement.answer_tokens for statement in statements)
        for statements in (work.attributed, work.attributed_new)
    ]
    return Stage(name="select", items=(_scores(shape, sum(tokens) + 2 * max(tokens)),))
