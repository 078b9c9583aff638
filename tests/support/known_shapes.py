"""Sizes of published models."""

from contract.memory import ModelShape

LLAMA_2_7B = ModelShape(
    n_layer=32,
    d_model=4096,
    d_ff=11008,
    n_head=32,
    n_kv_head=32,
    d_head=128,
    n_vocab=32000,
    tied=False,
    dtype_bytes=2,
)
