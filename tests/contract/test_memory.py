"""The memory formula on shapes whose sizes are published."""

import pytest
from known_shapes import LLAMA_2_7B

from contract.memory import (
    ModelShape,
    SequenceShape,
    Workload,
    estimate,
    most_layers_within,
)

PROMPT = SequenceShape(prompt_tokens=8, answer_tokens=1)
WORK = Workload(attributed=(PROMPT,), written=(PROMPT,), evaluated=(PROMPT,))


def test_llama_2_7b_has_6_738_415_616_parameters() -> None:
    assert LLAMA_2_7B.n_param == 6_738_415_616
    assert LLAMA_2_7B.weights_bytes == 13_476_831_232


@pytest.mark.parametrize(
    ("config", "n_param"),
    [
        (  # Llama-3-8B
            {
                "num_hidden_layers": 32,
                "hidden_size": 4096,
                "intermediate_size": 14336,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "vocab_size": 128256,
            },
            8_030_261_248,
        ),
        (  # Qwen2.5-7B
            {
                "model_type": "qwen2",
                "num_hidden_layers": 28,
                "hidden_size": 3584,
                "intermediate_size": 18944,
                "num_attention_heads": 28,
                "num_key_value_heads": 4,
                "vocab_size": 152064,
            },
            7_615_616_512,
        ),
    ],
)
def test_parameters_are_counted_from_a_config(config: dict[str, int], n_param: int) -> None:
    assert ModelShape.from_config(config, dtype_bytes=2).n_param == n_param


def test_the_last_answer_token_is_not_run() -> None:
    assert SequenceShape(prompt_tokens=8, answer_tokens=3).tokens == 10


def test_the_items_of_the_binding_stage_add_up_to_the_peak() -> None:
    foretold = estimate(LLAMA_2_7B, WORK, layers_per_pass=32)

    assert foretold.peak_bytes == sum(item.n_bytes for item in foretold.binding.items)


def test_fewer_layers_per_pass_take_less() -> None:
    collect = [estimate(LLAMA_2_7B, WORK, layers_per_pass=n).stages[0].n_bytes for n in (32, 8, 1)]

    assert collect == sorted(collect, reverse=True)
    assert collect[0] > 5 * collect[2]


def test_the_most_layers_that_fit_are_found() -> None:
    twenty = estimate(LLAMA_2_7B, WORK, layers_per_pass=20).peak_bytes

    assert most_layers_within(LLAMA_2_7B, WORK, budget_bytes=twenty) == 20
    assert most_layers_within(LLAMA_2_7B, WORK, budget_bytes=twenty - 1) == 19
    assert most_layers_within(LLAMA_2_7B, WORK, budget_bytes=1000) is None
