"""Bytes of the write: reference activations, whitening, the search, and the edited columns while
they are evaluated."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from contract.memory.batch_sizes import (
    PRESERVED_TEXTS,
    PRESERVED_TOKENS_PER_TEXT,
    RESPELLED_TOKENS,
    STATEMENTS_PER_PASS,
)
from contract.memory.block import kept_token_bytes, passing_bytes
from contract.memory.items import Item, Stage
from contract.memory.references import PreservedBatch
from contract.memory.shape import FLOAT32_BYTES, ModelShape
from contract.memory.work import (
    AdapterShape,
    Chosen,
    SequenceShape,
    Workload,
    Write,
    alike,
)


def chosen_of(shape: ModelShape, work: Workload) -> Chosen:
    """The neurons where they are known, else the most there may be, in the fewest layers."""
    if work.chosen is not None:
        return work.chosen
    neurons = min(work.max_neurons, shape.n_layer * shape.d_ff)
    return Chosen(
        neurons=neurons, widest=min(neurons, shape.d_ff), layers=min(neurons, shape.n_layer)
    )


def rank_of(shape: ModelShape, work: Workload) -> int:
    """Directions written in a layer."""
    if work.rank is not None:
        return work.rank
    match work.write:
        case Write.SEARCHED:
            return max(sequence.answer_tokens for sequence in work.written)
        case Write.DIRECT:
            return 1
        case Write.ERASED:
            return min(chosen_of(shape, work).widest, shape.d_model)


def write_stages(shape: ModelShape, work: Workload) -> Iterator[Stage]:
    """Every moment of the write that may be the peak."""
    if work.write is Write.SEARCHED:
        yield from _whitening(shape, work)
        yield from _search(shape, work)
    if work.walked:
        yield from _walk(shape, work.walked)
    yield columns_stage(shape, work, name="write_columns")


def _walk(shape: ModelShape, tokens: int) -> Iterator[Stage]:
    """One prompt at a time, with only the last token's logits."""
    yield Stage(name="write_walk", items=(_passing(shape, tokens),))
    read = (tokens * shape.d_model + shape.n_vocab) * shape.dtype_bytes
    yield Stage(name="write_walk_token", items=(_logits(read),))


def _whitening(shape: ModelShape, work: Workload) -> Iterator[Stage]:
    """Recording the fact's keys, then the references' activations, and solving for A."""
    chosen, references = chosen_of(shape, work), work.references
    answers = [sequence.answer_tokens for sequence in work.written]
    longest = max(sequence.tokens for sequence in work.written) + RESPELLED_TOKENS
    recorded = (_trace(shape, max(answers)), _prefix_cache(shape, longest))
    keys = _keys(sum(answers), chosen)
    yield Stage(name="write_record", items=(keys, *recorded, _passing(shape, longest)))
    keys = _keys(sum(answers) + max(answers), chosen)  # with their means over prompts
    rows = references.tokens * chosen.neurons * FLOAT32_BYTES
    read = _passing(shape, references.at_once)
    yield Stage(name="write_references", items=(keys, _collected(rows), read))
    yield Stage(name="write_gathered", items=(keys, _collected(2 * rows)))
    solved = _directions(shape, work, moving=0)
    solving = _solving(references.tokens, chosen.widest)
    yield Stage(name="write_solve", items=(keys, _collected(rows), solved, solving))


def _keys(answer_tokens: int, chosen: Chosen) -> Item:
    """The chosen units' activations at answer tokens."""
    return Item(
        name="keys",
        n_bytes=answer_tokens * chosen.neurons * FLOAT32_BYTES,
        depends_on="prompts, answer tokens, max_neurons",
    )


def _trace(shape: ModelShape, answer_tokens: int) -> Item:
    """What every block computed at one prompt's answer tokens."""
    numbers = (2 * shape.d_model + 3 * shape.d_ff) * shape.n_layer
    return Item(
        name="traces",
        n_bytes=answer_tokens * numbers * shape.dtype_bytes,
        depends_on="answer tokens",
    )


def _prefix_cache(shape: ModelShape, tokens: int) -> Item:
    """Keys and values of one prompt in all blocks."""
    return Item(
        name="prefix_cache",
        n_bytes=2 * tokens * shape.d_kv * shape.n_layer * shape.dtype_bytes,
        depends_on="prompt tokens",
    )


def _solving(reference_tokens: int, widest: int) -> Item:
    """The widest layer's second moment C, summed from weighted rows, then solved."""
    square = widest**2 * FLOAT32_BYTES
    weighted = reference_tokens * widest * FLOAT32_BYTES
    return Item(
        name="whitening_and_solve",
        n_bytes=max(weighted + 3 * square, 4 * square),
        depends_on="max_neurons, reference tokens",
    )


def _collected(n_bytes: int) -> Item:
    return Item(name="collected_set", n_bytes=n_bytes, depends_on="max_neurons, reference tokens")


def _passing(shape: ModelShape, tokens: int) -> Item:
    return Item(
        name="activations",
        n_bytes=passing_bytes(shape, tokens),
        depends_on="prompt tokens, reference tokens",
    )


def _search(shape: ModelShape, work: Workload) -> Iterator[Stage]:
    """Descent: gradients of the target, then of preservation."""
    for statements in alike(work.written, most=STATEMENTS_PER_PASS):
        yield from _target(shape, work, statements)
    batches = work.preserved if work.preserved is not None else _preserved(work)
    for batch in batches:
        yield from _preservation(shape, work, batch.texts * batch.longest, batch.tokens)


def _preserved(work: Workload) -> Iterator[PreservedBatch]:
    """The most that is preserved at a step: short texts together, each long one alone."""
    if work.references.parts:
        yield _preserved_references(work)
    always = (*work.protected, *work.sayings)
    short = [n for n in always if n <= PRESERVED_TOKENS_PER_TEXT]
    if short:
        yield PreservedBatch(len(short), max(short), sum(short))
    yield from (PreservedBatch(1, n, n) for n in always if n > PRESERVED_TOKENS_PER_TEXT)


def _preserved_references(work: Workload) -> PreservedBatch:
    """One part of the references, and the same followed by the new answer's first tokens."""
    references = work.references
    texts = min(len(references.parts[0]), PRESERVED_TEXTS)
    begins = work.written[0].answer_tokens - 1
    longest = min(references.longest, PRESERVED_TOKENS_PER_TEXT)
    if not references.crossed or not 0 < begins < PRESERVED_TOKENS_PER_TEXT:
        return PreservedBatch(texts, longest, texts * longest)
    crossed = min(references.longest + begins, PRESERVED_TOKENS_PER_TEXT)
    return PreservedBatch(2 * texts, max(longest, crossed), texts * (longest + crossed))


def _target(
    shape: ModelShape, work: Workload, statements: Sequence[SequenceShape]
) -> Iterator[Stage]:
    """With the answer's ending one more token is run and predicted."""
    S, J = len(statements), statements[0].answer_tokens + work.ended
    tokens = S * (max(sequence.tokens for sequence in statements) + work.ended)
    d, b = shape.d_model, shape.dtype_bytes
    read = tokens * d * (FLOAT32_BYTES + b)
    logits = S * J * shape.n_vocab * FLOAT32_BYTES
    directions, kept = _directions(shape, work), _kept(shape, work, tokens)
    yield Stage(name="search_pass", items=(directions, _passing(shape, tokens)))
    yield Stage(name="search_logits", items=(directions, kept, _logits(5 * logits + read)))
    yield from _downward("search", shape, (directions, kept, _logits(logits)), tokens)


def _preservation(
    shape: ModelShape, work: Workload, padded_tokens: int, tokens: int
) -> Iterator[Stage]:
    """Log probabilities over the vocabulary: unedited, edited, and three temporaries. The edited
    pass saves nothing up to the lowest block that is written."""
    read = padded_tokens * shape.d_model * FLOAT32_BYTES  # the final norm's input
    logits = tokens * shape.n_vocab * FLOAT32_BYTES
    directions, kept = _directions(shape, work), _kept(shape, work, padded_tokens)
    unedited, passing = _logits(logits), _passing(shape, padded_tokens)
    yield Stage(name="search_hold_pass", items=(directions, unedited, passing))
    yield Stage(name="search_hold_logits", items=(directions, kept, _logits(5 * logits + read)))
    yield from _downward("search_hold", shape, (directions, kept, unedited), padded_tokens)


def _downward(
    name: str, shape: ModelShape, items: tuple[Item, ...], tokens: int
) -> Iterator[Stage]:
    """The backward pass after the head's gradients are freed: in the final norm and in a
    feed-forward. It binds where the vocabulary is small."""
    d, b = shape.d_model, shape.dtype_bytes
    norm = tokens * d * (6 * FLOAT32_BYTES + b)
    yield Stage(name=f"{name}_norm", items=(*items, _gradients(norm)))
    feed_forward = tokens * (3 * shape.d_ff + 2 * d) * b
    yield Stage(name=f"{name}_feed_forward", items=(*items, _gradients(feed_forward)))


def _directions(shape: ModelShape, work: Workload, *, moving: int = 4) -> Item:
    """A of the write and of each part of the references, and `moving` tensors of B's size: B, its
    momentum, and its gradients of target and preservation."""
    chosen, rank = chosen_of(shape, work), rank_of(shape, work)
    fitted, moved = _fitted(work) * chosen.neurons, moving * chosen.layers * shape.d_model
    return Item(
        name="directions",
        n_bytes=rank * (fitted + moved) * FLOAT32_BYTES,
        depends_on="answer tokens, max_neurons",
    )


def _fitted(work: Workload) -> int:
    """How many times directions are fitted: to all references, and without each part of them."""
    parts = len(work.references.parts)
    return 1 + parts if parts > 1 else 1


def _kept(shape: ModelShape, work: Workload, tokens: int) -> Item:
    """Nothing is saved up to the lowest block that is written: no gradient goes further."""
    above = shape.n_layer - 1 - chosen_of(shape, work).lowest
    return Item(
        name="search",
        n_bytes=tokens * above * kept_token_bytes(shape),
        depends_on="prompts, prompt tokens, answer tokens, reference tokens",
    )


def _logits(n_bytes: int) -> Item:
    return Item(
        name="logits",
        n_bytes=n_bytes,
        depends_on="prompts, answer tokens, reference tokens, vocabulary",
    )


def _gradients(n_bytes: int) -> Item:
    return Item(
        name="gradients", n_bytes=n_bytes, depends_on="prompts, prompt tokens, answer tokens"
    )


def columns_stage(shape: ModelShape, work: Workload, *, name: str) -> Stage:
    """The edited columns are computed layer by layer, while those they replace are kept."""
    chosen = chosen_of(shape, work)
    known = (2 * chosen.neurons - chosen.widest) * shape.d_model * shape.dtype_bytes
    saved = replace(saved_columns(shape, work), n_bytes=known)
    return Stage(name=name, items=(saved, delta(shape, work), adapter(shape, work)))


def delta(shape: ModelShape, work: Workload) -> Item:
    """The change of one layer, from rank 2 on first computed for all columns, or its sum with the
    columns; in half precision the sum is rounded from float32, to which the columns are copied."""
    chosen, rank, b = chosen_of(shape, work), rank_of(shape, work), shape.dtype_bytes
    columns, wide = shape.d_model * chosen.widest, shape.wide_bytes
    whole = shape.d_model * shape.d_ff + max(columns, rank * shape.d_ff) if rank > 1 else 0
    summed = columns * (3 * wide + b if b < wide else 2 * wide)
    return Item(
        name="delta",
        n_bytes=max(whole * wide, summed),
        depends_on="answer tokens, max_neurons",
        on_host=True,
    )


def saved_columns(shape: ModelShape, work: Workload) -> Item:
    """The edited columns, and those that they replaced."""
    neurons = chosen_of(shape, work).neurons
    return Item(
        name="saved_columns",
        n_bytes=2 * neurons * shape.d_model * shape.dtype_bytes,
        depends_on="max_neurons",
    )


def adapter(shape: ModelShape, work: Workload) -> Item:
    """A and B of every layer, in the model's dtype."""
    own = AdapterShape(chosen_of(shape, work), rank_of(shape, work))
    return Item(
        name="adapter",
        n_bytes=adapter_bytes(shape, own),
        depends_on="answer tokens, max_neurons",
        on_host=True,
    )


def adapter_bytes(shape: ModelShape, adapter: AdapterShape) -> int:
    chosen = adapter.chosen
    numbers = adapter.rank * (chosen.neurons + chosen.layers * shape.d_model)
    return numbers * min(shape.dtype_bytes, FLOAT32_BYTES)
