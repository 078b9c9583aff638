"""What one block holds while tokens or rows go through it, in bytes.

Counted tensor by tensor: whole prompts through the families' own code, rows through the engine's.
`b` bytes per number, float32 in norms and softmax. What is not saved is freed with its block.
"""

from contract.memory.shape import FLOAT32_BYTES, ModelShape


def passing_bytes(shape: ModelShape, tokens: int) -> int:
    """The peak while whole prompts go through a block and nothing is saved.

    In the feed-forward: the embeddings, the residual stream before and after attention and its
    norm, and of the gated product both factors and the result. In attention, where heads are wide:
    three streams, and of the rotated queries four parts.
    """
    d, b = shape.d_model, shape.dtype_bytes
    feed_forward = 4 * d + 3 * shape.d_ff
    attention = 3 * d + 4 * shape.d_q + 2 * shape.d_kv
    rotary = 2 * shape.d_head  # cos and sin
    return tokens * (max(feed_forward, attention) + rotary) * b


def kept_row_bytes(shape: ModelShape, prefix: int) -> int:
    """What the forward pass saves of one row in one block for the backward pass: the residual
    stream before and after attention, queries, keys and values, both factors of the gated product,
    and the row's attention probabilities, in at least float32."""
    numbers = 2 * shape.d_model + shape.d_q + 2 * shape.d_kv + 2 * shape.d_ff
    if shape.qk_norm:
        numbers += shape.d_q + shape.d_kv  # before their norms
    return numbers * shape.dtype_bytes + shape.n_head * (prefix + 1) * shape.wide_bytes


def kept_token_bytes(shape: ModelShape) -> int:
    """What autograd saves of one token of a whole prompt in one block, with fused attention, which
    saves its output and its logsumexp."""
    d, b = shape.d_model, shape.dtype_bytes
    norms = 2 * d * FLOAT32_BYTES
    if shape.qk_norm:
        norms += (shape.d_q + shape.d_kv) * FLOAT32_BYTES
    attention = (2 * shape.d_q + 2 * shape.d_kv) * b + shape.n_head * FLOAT32_BYTES
    return norms + attention + 3 * shape.d_ff * b
