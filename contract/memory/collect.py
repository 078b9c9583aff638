"""Bytes of attribution: the recording of whole prompts, and the rows that ride above it.

Statements with equally long answers ride together. Of the passes over blocks of layers the first
has the most rows, since those that enter at the bottom go through the whole model; in it, the more
is kept the higher the rows are, so that the peak is at the top, in the head or as the gradient
comes down.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contract.memory.items import Item, Stage
from contract.memory.layers import kept_row_bytes, passing_bytes
from contract.memory.portions import HEAD_CHUNK_WORDS, STATEMENTS_PER_PASS, filled_rows
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

    def rows(self, block: int) -> int:
        """Rows in a block: the unchanged ones, those that entered below it, and those that fill
        up."""
        alike = self.J + self.J * self.m * min(block, self.layers)
        return self.S * filled_rows(alike, prompts=self.S)

    @property
    def top(self) -> int:
        """Rows that reach the final norm."""
        return self.rows(self.n_layer)

    @property
    def last(self) -> int:
        """Rows in the topmost block."""
        return self.rows(self.n_layer - 1)

    def kept(self, blocks: int) -> int:
        """Rows in the lowest so many blocks that rows go through, added up."""
        return sum(self.rows(block) for block in range(1, blocks))


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
    riding = (*recorded, _riding(shape, ride, blocks=ride.n_layer))
    yield Stage(name="collect_head", items=(*riding, *_head(shape, ride)))
    yield Stage(name="collect_norm", items=(*riding, *_norm(shape, ride)))
    yield Stage(name="collect_feed_forward", items=(*riding, *_feed_forward(shape, ride)))
    yield Stage(name="collect_attention", items=(*riding, *_attention(shape, ride)))
    left = _riding(shape, ride, blocks=ride.layers)
    spread = _spread(shape, ride, gated=work.gated_unit)
    yield Stage(name="collect_spread", items=(*recorded, left, *spread))


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
    return Item(
        name="scores",
        n_bytes=answer_tokens * shape.n_layer * shape.d_ff * shape.wide_bytes,
        depends_on="prompts, answer tokens, layers",
        on_host=True,
    )


def _prompts(shape: ModelShape, ride: RowPass) -> Item:
    return Item(
        name="activations",
        n_bytes=passing_bytes(shape, ride.S * ride.N),
        depends_on="prompts, prompt tokens",
    )


def _riding(shape: ModelShape, ride: RowPass, *, blocks: int) -> Item:
    """What stays of the rows: what the lowest so many blocks kept, the final norm's input and
    result, P and its factor."""
    b = shape.dtype_bytes
    streams = 2 * shape.d_model * b + 2 * shape.wide_bytes
    angles = 2 * shape.d_head * b + INT64_BYTES  # and where they stand
    kept = ride.kept(blocks) * kept_row_bytes(shape, ride.N - 1)
    return Item(
        name="rows",
        n_bytes=kept + ride.top * (streams + angles),
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
    """The head takes the vocabulary in parts, and averages its words' rows in float32: while a
    part's logits are made, those and the shares of the part before are there."""
    b, d, wide = shape.dtype_bytes, shape.d_model, shape.wide_bytes
    words = min(shape.n_vocab, HEAD_CHUNK_WORDS)
    rounded = b if b < wide else 0
    parts = 3 if shape.n_vocab > words else 2
    logits = words * (parts * wide + rounded)
    averaged = words * (2 * wide + rounded) + d * (wide + b)
    gradient = d * (wide + 2 * b)
    # Which answer is asked for; its logit, of the others the largest and their logsumexp, …
    sums = INT64_BYTES + HEAD_SUMS * wide
    return (_logits(ride.top * (d * wide + sums + max(logits, averaged, gradient))),)


def _norm(shape: ModelShape, ride: RowPass) -> tuple[Item, ...]:
    """The gradient comes down through the final norm."""
    b = shape.dtype_bytes
    return (_gradients(ride.top * shape.d_model * (b + _norm_bytes(b))),)


def _norm_bytes(b: int) -> int:
    """Of a number whose gradient goes through a norm: a product, and where it is of half precision
    both factors as float32."""
    return 3 * FLOAT32_BYTES if b < FLOAT32_BYTES else b


def _feed_forward(shape: ModelShape, ride: RowPass) -> tuple[Item, ...]:
    """The gradients of the gated product and of both its factors, beside one of these; or of both
    factors, and what they come to."""
    numbers = max(4 * shape.d_ff, 2 * shape.d_ff + 2 * shape.d_model)
    n_bytes = ride.last * numbers * shape.dtype_bytes
    return (_gradients(n_bytes + _streams(shape, ride)),)


def _attention(shape: ModelShape, ride: RowPass) -> tuple[Item, ...]:
    """The gradient comes down through the attention: the most of its moments."""
    b = shape.dtype_bytes
    wide, rounded = shape.wide_bytes, b if b < FLOAT32_BYTES else 0
    d, d_q, d_kv, shares = shape.d_model, shape.d_q, shape.d_kv, shape.n_head * ride.N
    looking = d_q + 2 * d_kv  # the gradient of queries, keys and values
    turned = d + looking + d_q + d_kv  # beside that of the residual stream, and turned back
    moments = (
        shares * (b + wide) + (d + d_q) * b,  # shares in two parts and as one, or in float32
        shares * (wide + rounded) + shape.n_head * rounded + (d + 2 * d_q + looking) * b,
        (turned + 2 * d) * b,
        turned * b + d_q * _norm_bytes(b) if shape.qk_norm else 0,
        2 * d * b + d * _norm_bytes(b) + 2 * wide,  # two means
    )
    return (_gradients(ride.last * max(moments) + _streams(shape, ride)),)


def _streams(shape: ModelShape, ride: RowPass) -> int:
    """The gradient at the final norm's result, in half precision beside that at its input; the
    sines of half a head, and where rows must not look; and what the topmost layer scored, if rows
    entered there."""
    b, wide = shape.dtype_bytes, shape.wide_bytes
    n = 2 if b < FLOAT32_BYTES else 1
    scored = ride.S * ride.J * shape.d_ff * wide if ride.layers == ride.n_layer else 0
    sines = shape.d_head // 2 * b
    hidden = ride.N - 1 if ride.padded else 0
    return n * ride.top * shape.d_model * b + ride.last * (sines + hidden) + scored


def _spread(shape: ModelShape, ride: RowPass, *, gated: bool) -> tuple[Item, ...]:
    """One layer's gradient is spread over its units, of gated ones before the steps are summed, in
    float32."""
    b, wide = shape.dtype_bytes, shape.wide_bytes
    answers, nodes = ride.S * ride.J, ride.S * ride.J * (ride.m + 1)
    units = 4 * nodes + answers if gated else 3 * answers
    spread = units * shape.d_ff * wide + nodes * shape.d_model * (b + wide)
    return (_gradients(spread + _streams(shape, ride)),)


def _selection(shape: ModelShape, work: Workload) -> Stage:
    """The scores of all prompts, and those of one answer compared and stacked."""
    tokens = [
        sum(statement.answer_tokens for statement in statements)
        for statements in (work.attributed, work.attributed_new)
    ]
    return Stage(name="select", items=(_scores(shape, sum(tokens) + 2 * max(tokens)),))
