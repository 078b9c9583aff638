"""The sizes of a model, which determine its memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FLOAT32_BYTES = 4
INT64_BYTES = 8
FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
"""The `model_type`s whose blocks the formula covers."""
DTYPE_BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The sizes of a Llama-like decoder, as its `config.json` gives them."""

    n_layer: int
    d_model: int
    d_ff: int
    n_head: int
    n_kv_head: int
    d_head: int
    n_vocab: int
    tied: bool
    qkv_bias: bool = False
    out_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    n_position: int | None = None
    dtype_bytes: int = 4

    @classmethod
    def from_config(cls, config: Mapping[str, Any], *, dtype_bytes: int) -> "ModelShape":
        """Read a Hugging Face `config.json`; raises `KeyError` on a missing size."""
        n_head = config["num_attention_heads"]
        kind = config.get("model_type", "llama")
        return cls(
            n_layer=config["num_hidden_layers"],
            d_model=config["hidden_size"],
            d_ff=config["intermediate_size"],
            n_head=n_head,
            n_kv_head=config.get("num_key_value_heads") or n_head,
            d_head=config.get("head_dim") or config["hidden_size"] // n_head,
            n_vocab=config["vocab_size"],
            tied=bool(config.get("tie_word_embeddings", False)),
            qkv_bias=kind == "qwen2" or bool(config.get("attention_bias", False)),
            out_bias=kind != "qwen2" and bool(config.get("attention_bias", False)),
            mlp_bias=bool(config.get("mlp_bias", False)),
            qk_norm=kind == "qwen3",
            n_position=_room(config),
            dtype_bytes=dtype_bytes,
        )

    @property
    def d_q(self) -> int:
        return self.n_head * self.d_head

    @property
    def d_kv(self) -> int:
        return self.n_kv_head * self.d_head

    @property
    def wide_bytes(self) -> int:
        """Of a number that is computed in at least float32."""
        return max(self.dtype_bytes, FLOAT32_BYTES)

    @property
    def n_param(self) -> int:
        """Parameters of the whole model, embeddings counted once when tied."""
        attention = self.d_model * (2 * self.d_q + 2 * self.d_kv)
        if self.qkv_bias:
            attention += self.d_q + 2 * self.d_kv
        if self.out_bias:
            attention += self.d_model
        if self.qk_norm:
            attention += 2 * self.d_head
        feed_forward = 3 * self.d_model * self.d_ff
        if self.mlp_bias:
            feed_forward += 2 * self.d_ff + self.d_model
        block = attention + feed_forward + 2 * self.d_model
        embeddings = self.n_vocab * self.d_model * (1 if self.tied else 2)
        return self.n_layer * block + embeddings + self.d_model

    @property
    def weights_bytes(self) -> int:
        return self.n_param * self.dtype_bytes


def _room(config: Mapping[str, Any]) -> int | None:
    """The most tokens for which every block attends to all earlier positions; the row method does
    not support sliding windows."""
    room: int | None = config.get("max_position_embeddings")
    window: int | None = config.get("sliding_window")
    # Mistral's window holds for every block; Qwen's config says whether and which blocks have one.
    kinds = config.get("layer_types") or ["sliding_attention"]
    slides = config.get("use_sliding_window", True) and "sliding_attention" in kinds
    if window is None or not slides:
        return room
    return window if room is None else min(room, window)
