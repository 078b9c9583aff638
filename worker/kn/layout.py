"""Where a model family keeps the parts that the engine touches."""

from dataclasses import dataclass
from operator import attrgetter
from typing import cast

from torch import Tensor, nn

from worker.kn.errors import UnknownFamilyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Attribute paths, from the model or (`block_…`) from one of its blocks."""

    decoder: str = "model"
    blocks: str = "model.layers"
    embeddings: str = "model.embed_tokens"
    rotary: str = "model.rotary_emb"
    final_norm: str = "model.norm"
    head: str = "lm_head"
    block_norm: str = "post_attention_layernorm"
    block_gate: str = "mlp.gate_proj"
    block_up: str = "mlp.up_proj"
    block_down: str = "mlp.down_proj"
    block_activation: str = "mlp.act_fn"


LLAMA = Layout()
MISTRAL = Layout()
QWEN2 = Layout()
QWEN3 = Layout()

LAYOUTS = {"llama": LLAMA, "mistral": MISTRAL, "qwen2": QWEN2, "qwen3": QWEN3}


def layout_of(model_type: str) -> Layout:
    """The layout of a family; raises `UnknownFamilyError`."""
    try:
        return LAYOUTS[model_type]
    except KeyError:
        raise UnknownFamilyError(model_type, known=sorted(LAYOUTS)) from None


@dataclass(frozen=True, slots=True)
class Block:
    """One transformer block, its parts at hand."""

    module: nn.Module
    norm: nn.Module
    gate: nn.Linear
    up: nn.Linear
    down: nn.Linear
    activation: nn.Module

    @property
    def down_weight(self) -> Tensor:
        """The second feed-forward matrix, (d_model, d_ff): a column is a neuron's value."""
        return self.down.weight


def blocks_of(model: nn.Module, layout: Layout) -> tuple[Block, ...]:
    """The model's blocks, the first one first."""
    return tuple(
        Block(
            module=module,
            norm=attrgetter(layout.block_norm)(module),
            gate=attrgetter(layout.block_gate)(module),
            up=attrgetter(layout.block_up)(module),
            down=attrgetter(layout.block_down)(module),
            activation=attrgetter(layout.block_activation)(module),
        )
        for module in cast(nn.ModuleList, attrgetter(layout.blocks)(model))
    )
