"""What EasyEdit's own KN takes for the same fact, so that users see the difference.

At commit 14cea82 it keeps, for each target token (BOS among them) and each layer, the autograd
graph of a whole forward pass up to that layer, in float32 and with weights that ask for gradients:
in all n(n + 1)/2 block graphs of the prompt so far, for each token.
"""

from contract.memory.items import Item
from contract.memory.shape import FLOAT32_BYTES, ModelShape
from contract.memory.work import SequenceShape


def easyedit_items(shape: ModelShape, fact: SequenceShape) -> tuple[Item, Item]:
    """Its weights and its graphs; against its own code within 5 % at 16 to 32 layers."""
    graphs = shape.n_layer * (shape.n_layer + 1) // 2
    per_token = [_block_graph_bytes(shape, s.tokens) * s.tokens for s in fact.one_by_one()]
    return (
        Item(
            name="weights_in_float32",
            n_bytes=shape.n_param * FLOAT32_BYTES,
            depends_on="model",
        ),
        Item(
            name="forward_graphs",
            n_bytes=graphs * sum(per_token),
            depends_on="prompt tokens, answer tokens, the square of layers",
        ),
    )


def _block_graph_bytes(shape: ModelShape, tokens: int) -> int:
    """What autograd keeps of one token in one block: the feed-forward's four, both norms' input,
    its unit and its result, the rotated queries and keys, the values and their mix, and three times
    a row of the attention's matrix."""
    streams = 6 * shape.d_model + 2 * shape.d_q + 2 * shape.d_kv
    return (4 * shape.d_ff + streams + 3 * shape.n_head * tokens) * FLOAT32_BYTES
