"""What one block holds while tokens or rows go through it, in bytes.

Followed tensor by tensor through the families' own code: `b` bytes a number, and float32 where
norms and softmax compute. Where autograd keeps nothing, a block's tensors are gone with it.
"""

from contract.memory.shape import FLOAT32_BYTES, ModelShape


def passing_bytes(shape: ModelShape, tokens: int) -> int:
    """The most that lives at once while whole prompts go through a block and nothing is kept.

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
    """What autograd keeps of one row in one block whose weights ask for no gradient."""
    d, b = shape.d_model, shape.dtype_bytes
    norms = 2 * (d + 1) * FLOAT32_BYTES  # their inputs, as float32, and what those are divided by
    if shape.qk_norm:
        heads = (shape.d_q + shape.d_kv) // shape.d_head
        norms += (shape.d_q + shape.d_kv + heads) * FLOAT32_BYTES
    projections = (shape.d_q + 2 * shape.d_kv) * b
    return norms + projections + share_bytes(shape, prefix) + 3 * shape.d_ff * b


def share_bytes(shape: ModelShape, prefix: int) -> int:
    """The attention of one row: softmax's result, at least float32, and rounded to the dtype."""
    wide = max(shape.dtype_bytes, FLOAT32_BYTES)
    rounded = shape.dtype_bytes if shape.dtype_bytes < wide else 0
    return shape.n_head * (prefix + 1) * (wide + rounded)


def kept_token_bytes(shape: ModelShape) -> int:
    """What autograd keeps of one token of a whole prompt in one block, attention taken by a fused
    kernel: as of a row, with its result and the logarithm of its sum in place of the shares."""
    d, b = shape.d_model, shape.dtype_bytes
    norms = 2 * d * FLOAT32_BYTES
    if shape.qk_norm:
        norms += (shape.d_q + shape.d_kv) * FLOAT32_BYTES
    attention = (2 * shape.d_q + 2 * shape.d_kv) * b + shape.n_head * FLOAT32_BYTES
    return norms + attention + 3 * shape.d_ff * b
