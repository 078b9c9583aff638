"""What one block holds while tokens or rows go through it, in bytes.

Counted tensor by tensor: whole prompts through the families' own code, rows through the engine's.
`b` bytes per number, float32 in norms and softmax. What is not saved is freed with its block.
"""

from contract.memory.shape import FLOAT32_BYTES, INT64_BYTES, ModelShape


def passing_bytes(shape: ModelShape, tokens: int) -> int:
    """The peak while whole prompts go through a block and nothing is saved.

    Beside the embeddings, the block's input and the residual stream or its norm: both factors of
    the gated product and the result; or, while queries or keys are rotated, four parts of them and
    the projections that are alive then; or what a norm takes.
    """
    d, d_q, d_kv, b = shape.d_model, shape.d_q, shape.d_kv, shape.dtype_bytes
    moments = [
        (4 * d + 3 * shape.d_ff) * b,
        (3 * d + 4 * d_q + 2 * d_kv) * b,
        (3 * d + 2 * d_q + 5 * d_kv) * b,
        3 * d * b + _normed_bytes(shape, d, heads=1),
    ]
    if shape.qk_norm:
        queries, keys = (d_q, shape.n_head), (d_kv, shape.n_kv_head)
        moments.append((3 * d + d_q) * b + _normed_bytes(shape, *queries))
        moments.append((3 * d + d_q + d_kv) * b + _normed_bytes(shape, *keys))
    rotary = 2 * shape.d_head * b  # cos and sin
    return tokens * (max(moments) + rotary + 2 * INT64_BYTES)  # ids and positions


def _normed_bytes(shape: ModelShape, numbers: int, heads: int) -> int:
    """What a norm takes of a token beside its input: the product in float32 with a factor or, in
    float64, with the result and its copy; and two means of each head."""
    b = shape.dtype_bytes
    each = FLOAT32_BYTES + (2 * b if b > FLOAT32_BYTES else FLOAT32_BYTES)
    return numbers * each + heads * 2 * shape.wide_bytes


def kept_row_bytes(shape: ModelShape, prefix: int) -> int:
    """What the forward pass saves of one row in one block for the backward pass: the residual
    stream before and after attention, queries, keys and values, both factors of the gated product,
    and the row's attention probabilities, in at least float32."""
    numbers = 2 * shape.d_model + shape.d_q + 2 * shape.d_kv + 2 * shape.d_ff
    if shape.qk_norm:
        numbers += shape.d_q + shape.d_kv  # before their norms
    return numbers * shape.dtype_bytes + shape.n_head * (prefix + 1) * shape.wide_bytes


def kept_token_bytes(shape: ModelShape) -> int:
    """What autograd saves of one token of a whole prompt in one block: of each norm its input in
    float32 and a mean, of fused attention also its output and its logsumexp, and three factors of
    the gated product."""
    d, b = shape.d_model, shape.dtype_bytes
    norms = 2 * (d + 1) * FLOAT32_BYTES
    if shape.qk_norm:
        norms += (shape.d_q + shape.d_kv + shape.n_head + shape.n_kv_head) * FLOAT32_BYTES
    attention = (2 * shape.d_q + 2 * shape.d_kv) * b + shape.n_head * shape.wide_bytes
    return norms + attention + 3 * shape.d_ff * b
