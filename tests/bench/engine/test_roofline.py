"""The floor of collecting, at sizes worked out by hand."""

import pytest
from known_shapes import LLAMA_2_7B

from bench.engine.roofline import Matmul, Rates, passes_of
from contract.memory import ModelShape

TWO_LAYERS = ModelShape(
    n_layer=2, d_model=8, d_ff=16, n_head=4, n_kv_head=2, d_head=2, n_vocab=10, tied=False
)


def test_a_product_takes_as_long_as_its_flops_or_its_bytes() -> None:
    product = Matmul(2, 3, 5)

    assert (product.flops, product.n_values) == (60, 31)
    assert product.seconds(Rates(flops=10, n_bytes=1e9), dtype_bytes=4) == 6.0
    assert product.seconds(Rates(flops=1e9, n_bytes=4), dtype_bytes=4) == 31.0


def test_the_passes_of_two_layers_do_the_flops_counted_by_hand() -> None:
    flops = {p.name: p.flops for p in passes_of(TWO_LAYERS, prompt_tokens=5, steps=3)}

    # A block's weights: q and o 8 · 8, k and v 8 · 4, the feed-forward 3 · 8 · 16: 576 in all.
    # Its attention over a prefix P: twice d_q · P, so 16 · P.
    assert flops == {
        "record": 2 * 2 * 5 * (576 + 16 * 5),
        "rows up": 2 * 3 * (576 + 16 * 4),  # the three rows of layer 0 go through layer 1 alone
        "head up": 2 * 6 * 8 * 10,
        "head down": 2 * 6 * 8 * 10,
        "rows down": 2 * 3 * (576 + 16 * 4),
        "spread": 2 * 2 * 8 * 16,
    }


def test_llama_2_7b_takes_8_6_teraflop_and_two_reads_of_its_weights() -> None:
    passes = passes_of(LLAMA_2_7B, prompt_tokens=20, steps=20)

    assert sum(p.flops for p in passes) == pytest.approx(8.6e12, rel=0.01)
    assert sum(p.n_values * 2 for p in passes) > 2 * LLAMA_2_7B.weights_bytes
