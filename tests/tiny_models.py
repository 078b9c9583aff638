"""Two-layer models with random weights, and a tokenizer of single characters."""

from typing import Any

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


def _llama(**kwargs: Any) -> PreTrainedModel:
    return LlamaForCausalLM(LlamaConfig(**SIZES | kwargs))


def _mistral(**kwargs: Any) -> PreTrainedModel:
    return MistralForCausalLM(MistralConfig(**SIZES | kwargs, sliding_window=None))


def _qwen2(**kwargs: Any) -> PreTrainedModel:
    return Qwen2ForCausalLM(Qwen2Config(**SIZES | kwargs))


def _qwen3(**kwargs: Any) -> PreTrainedModel:
    return Qwen3ForCausalLM(Qwen3Config(**SIZES | kwargs, head_dim=16))


FAMILIES = {
    "llama-mha-untied": lambda: _llama(num_key_value_heads=4),
    "llama-gqa-tied": lambda: _llama(num_key_value_heads=2, tie_word_embeddings=True),
    "mistral-gqa": lambda: _mistral(num_key_value_heads=2),
    "qwen2-biases": lambda: _qwen2(num_key_value_heads=2),
    "qwen3-norms": lambda: _qwen3(num_key_value_heads=2),
}
