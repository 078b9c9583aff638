"""Models whose sizes are known by name: what their `config.json` says of them."""

from collections.abc import Mapping
from typing import Any

Config = dict[str, Any]


def _config(
    model_type: str,
    *,
    layers: int,
    hidden: int,
    intermediate: int,
    heads: int,
    kv_heads: int,
    vocabulary: int,
    positions: int,
    **others: Any,
) -> Config:
    return {
        "model_type": model_type,
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        **others,
    }


LLAMA_2_7B = _config(
    "llama",
    layers=32,
    hidden=4096,
    intermediate=11008,
    heads=32,
    kv_heads=32,
    vocabulary=32000,
    positions=4096,
    torch_dtype="float16",
)
LLAMA_2_13B = _config(
    "llama",
    layers=40,
    hidden=5120,
    intermediate=13824,
    heads=40,
    kv_heads=40,
    vocabulary=32000,
    positions=4096,
    torch_dtype="float16",
)
LLAMA_3_8B = _config(
    "llama",
    layers=32,
    hidden=4096,
    intermediate=14336,
    heads=32,
    kv_heads=8,
    vocabulary=128256,
    positions=8192,
)
LLAMA_3_2_1B = _config(
    "llama",
    layers=16,
    hidden=2048,
    intermediate=8192,
    heads=32,
    kv_heads=8,
    vocabulary=128256,
    positions=131072,
    head_dim=64,
    tie_word_embeddings=True,
)
MISTRAL_7B = _config(
    "mistral",
    layers=32,
    hidden=4096,
    intermediate=14336,
    heads=32,
    kv_heads=8,
    vocabulary=32000,
    positions=32768,
)
QWEN_2_5_7B = _config(
    "qwen2",
    layers=28,
    hidden=3584,
    intermediate=18944,
    heads=28,
    kv_heads=4,
    vocabulary=152064,
    positions=131072,
)
QWEN_2_5_1_5B = _config(
    "qwen2",
    layers=28,
    hidden=1536,
    intermediate=8960,
    heads=12,
    kv_heads=2,
    vocabulary=151936,
    positions=131072,
    tie_word_embeddings=True,
)
QWEN_3_8B = _config(
    "qwen3",
    layers=36,
    hidden=4096,
    intermediate=12288,
    heads=32,
    kv_heads=8,
    vocabulary=151936,
    positions=40960,
    head_dim=128,
)

KNOWN: Mapping[str, Config] = {
    "meta-llama/Llama-2-7b-hf": LLAMA_2_7B,
    "meta-llama/Llama-2-7b-chat-hf": LLAMA_2_7B,
    "meta-llama/Llama-2-13b-hf": LLAMA_2_13B,
    "meta-llama/Llama-2-13b-chat-hf": LLAMA_2_13B,
    "meta-llama/Meta-Llama-3-8B": LLAMA_3_8B,
    "meta-llama/Meta-Llama-3-8B-Instruct": LLAMA_3_8B,
    "meta-llama/Llama-3.1-8B": LLAMA_3_8B | {"max_position_embeddings": 131072},
    "meta-llama/Llama-3.2-1B": LLAMA_3_2_1B,
    "mistralai/Mistral-7B-v0.1": MISTRAL_7B | {"sliding_window": 4096},
    "mistralai/Mistral-7B-v0.3": MISTRAL_7B | {"vocab_size": 32768},
    "Qwen/Qwen2.5-7B": QWEN_2_5_7B,
    "Qwen/Qwen2.5-7B-Instruct": QWEN_2_5_7B,
    "Qwen/Qwen2.5-1.5B": QWEN_2_5_1_5B,
    "Qwen/Qwen3-8B": QWEN_3_8B,
}
