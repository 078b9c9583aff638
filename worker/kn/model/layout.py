"""Where a model family keeps the parts that the engine touches."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from worker.kn.errors import QuantisedModelError, UnknownFamilyError, UnsuitableModelError

DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
"""What the engine computes in, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One family, and attribute paths from its model, (`block_…`) from one of its blocks, or
    (`attention_…`) from a block's attention.

    Llama's names are the default, since the others took them over; a family that keeps a part
    elsewhere says so in its own value.
    """

    family: str  # `model_type` in config.json
    decoder: str = "model"
    blocks: str = "model.layers"
    embeddings: str = "model.embed_tokens"
    rotary: str = "model.rotary_emb"
    final_norm: str = "model.norm"
    head: str = "lm_head"
    block_attention: str = "self_attn"
    block_attention_norm: str = "input_layernorm"
    block_norm: str = "post_attention_layernorm"
    block_gate: str = "mlp.gate_proj"
    block_up: str = "mlp.up_proj"
    block_down: str = "mlp.down_proj"
    block_activation: str = "mlp.act_fn"
    attention_query: str = "q_proj"
    attention_key: str = "k_proj"
    attention_value: str = "v_proj"
    attention_out: str = "o_proj"
    attention_head_norms: tuple[str, str] | None = None  # of queries, of keys

    def down_weight_name(self, layer: int) -> str:
        """What a block's second feed-forward matrix is called in the model's own files."""
        return f"{self.blocks}.{layer}.{self.block_down}.weight"


LLAMA = Layout(family="llama")  # 2 and 3
MISTRAL = Layout(family="mistral")
QWEN2 = Layout(family="qwen2")  # and 2.5
QWEN3 = Layout(family="qwen3", attention_head_norms=("q_norm", "k_norm"))

LAYOUTS = {layout.family: layout for layout in (LLAMA, MISTRAL, QWEN2, QWEN3)}


def layout_of(config: Any) -> Layout:
    """The layout of a model by its Hugging Face config; raises `UnknownFamilyError`,
    `QuantisedModelError` if the weights are not floats that an edit can be added to, and
    `UnsuitableModelError` if a text's positions depend on the longest text in the batch."""
    if config.model_type not in LAYOUTS:
        raise UnknownFamilyError(config.model_type, known=sorted(LAYOUTS))
    quantised = config.to_dict().get("quantization_config")
    if quantised is not None:
        raise QuantisedModelError(quantised.get("quant_method", "by an unnamed method"))
    if "longrope" in _rope_types(config):
        raise UnsuitableModelError(
            "RoPE type 'longrope' is not supported: "
            "it scales positions by the longest text in the batch"
        )
    return LAYOUTS[config.model_type]


def _rope_types(config: Any) -> set[str]:
    """Of the model, or of each kind of its layers."""
    given = config.to_dict().get("rope_parameters") or {}
    kinds = (given, *(kind for kind in given.values() if isinstance(kind, dict)))
    return {kind["rope_type"] for kind in kinds if "rope_type" in kind}


class HeadNorms(NamedTuple):
    """Norms over each head, before its rotation."""

    query: nn.Module
    key: nn.Module


@dataclass(frozen=True, slots=True)
class Attention:
    """One block's attention, its parts at hand."""

    norm: nn.Module  # of the rows that come
    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    out: nn.Linear
    head_norms: HeadNorms | None
    d_head: int
    scaling: float


@dataclass(frozen=True, slots=True)
class Block:
    """One transformer block, its parts at hand."""

    module: nn.Module
    attention: Attention
    norm: nn.Module  # of the residual stream that the feed-forward reads
    gate: nn.Linear
    up: nn.Linear
    down: nn.Linear
    activation: nn.Module

    @property
    def down_weight(self) -> Tensor:
        """The second feed-forward matrix, (d_model, d_ff): a column is a neuron's value."""
        return self.down.weight

    @property
    def device(self) -> torch.device:
        return self.down.weight.device

    @property
    def linears(self) -> tuple[nn.Linear, ...]:
        """All linear layers."""
        attention = self.attention
        projections = (attention.query, attention.key, attention.value, attention.out)
        return (*projections, self.gate, self.up, self.down)


def blocks_of(model: nn.Module, layout: Layout) -> tuple[Block, ...]:
    """The model's blocks, the first one first; raises `QuantisedModelError`, and
    `UnsuitableModelError` where something stands in a layer's place, as an adapter does."""
    modules = cast(nn.ModuleList, attrgetter(layout.blocks)(model))
    blocks = tuple(_block(module, layout) for module in modules)
    for block in blocks:
        for layer in block.linears:
            if (kind := type(layer)) is not nn.Linear:
                name = f"{kind.__module__}.{kind.__name__}"
                raise UnsuitableModelError(f"a {name} stands in a linear layer's place")
        if block.down_weight.dtype not in DTYPES.values():
            raise QuantisedModelError(str(block.down_weight.dtype))
    return blocks


def _block(module: nn.Module, layout: Layout) -> Block:
    return Block(
        module=module,
        attention=_attention(module, layout),
        norm=attrgetter(layout.block_norm)(module),
        gate=attrgetter(layout.block_gate)(module),
        up=attrgetter(layout.block_up)(module),
        down=attrgetter(layout.block_down)(module),
        activation=attrgetter(layout.block_activation)(module),
    )


def _attention(module: nn.Module, layout: Layout) -> Attention:
    attention = attrgetter(layout.block_attention)(module)
    norms = layout.attention_head_norms
    return Attention(
        norm=attrgetter(layout.block_attention_norm)(module),
        query=attrgetter(layout.attention_query)(attention),
        key=attrgetter(layout.attention_key)(attention),
        value=attrgetter(layout.attention_value)(attention),
        out=attrgetter(layout.attention_out)(attention),
        head_norms=norms and HeadNorms(*attrgetter(*norms)(attention)),
        d_head=attention.head_dim,
        scaling=attention.scaling,
    )
