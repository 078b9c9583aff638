"""Three-layer models with random weights, and a tokenizer of single characters."""

from collections.abc import Callable
from typing import Any

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

SIZES: dict[str, Any] = {
    "vocab_size": 131,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "use_cache": True,
}


class Letters:
    """A tokenizer with BOS 1 and one id for each character of ASCII."""

    eos_token_id = 2
    bos_token_id = 1

    def encode(self, text: str, /, *, add_special_tokens: bool = True, **_: Any) -> list[int]:
        return [1] * add_special_tokens + [3 + ord(letter) % 128 for letter in text]

    def decode(self, ids: Any, /, **_: Any) -> str:
        ids = [ids] if isinstance(ids, int) else list(ids)
        return "".join(chr(int(i) - 3) for i in ids if int(i) > 2)


ROPE_OF_LLAMA_3: dict[str, Any] = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}


@torch.no_grad()
def _drawn(model: PreTrainedModel) -> PreTrainedModel:
    """Biases and norms are drawn too: fresh ones are all 0 and 1, as if they were not there."""
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.normal_(0, 0.3)
        elif "norm" in name:
            parameter.uniform_(0.5, 1.5)
    return model


def _llama(**kwargs: Any) -> PreTrainedModel:
    return _drawn(LlamaForCausalLM(LlamaConfig(**SIZES | kwargs)))


def _mistral(**kwargs: Any) -> PreTrainedModel:
    return _drawn(MistralForCausalLM(MistralConfig(**SIZES | kwargs, num_key_value_heads=2)))


def _qwen2(**kwargs: Any) -> PreTrainedModel:
    return _drawn(Qwen2ForCausalLM(Qwen2Config(**SIZES | kwargs, num_key_value_heads=2)))


def _qwen3(**kwargs: Any) -> PreTrainedModel:
    return _drawn(Qwen3ForCausalLM(Qwen3Config(**SIZES | kwargs, num_key_value_heads=2)))


FAMILIES: dict[str, Callable[[], PreTrainedModel]] = {
    "llama-mha-untied": lambda: _llama(num_key_value_heads=4),
    "llama-gqa-tied": lambda: _llama(num_key_value_heads=2, tie_word_embeddings=True),
    "llama-3-rope": lambda: _llama(num_key_value_heads=1, rope_parameters=ROPE_OF_LLAMA_3),
    "llama-biases": lambda: _llama(num_key_value_heads=4, attention_bias=True, mlp_bias=True),
    "mistral-wide-heads": lambda: _mistral(sliding_window=None, head_dim=16),
    "mistral-window": lambda: _mistral(sliding_window=40),
    "qwen2-biases": lambda: _qwen2(),
    "qwen2.5-tied": lambda: _qwen2(tie_word_embeddings=True),
    "qwen2-window-above": lambda: _qwen2(
        use_sliding_window=True, sliding_window=40, max_window_layers=1
    ),
    "qwen3-norms-wide-heads": lambda: _qwen3(head_dim=16),
    "qwen3-tied": lambda: _qwen3(head_dim=8, tie_word_embeddings=True),
}
