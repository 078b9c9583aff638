"""The memory formula on shapes whose sizes are published."""

import re
from dataclasses import replace

import pytest
from known_shapes import LLAMA_2_7B

from contract.memory import (
    FILLED_ROWS,
    Chosen,
    Fit,
    ModelShape,
    References,
    SequenceShape,
    Workload,
    estimate,
    filled_rows,
    fit,
    parted,
)
from contract.memory.collect import RowPass
from contract.memory.known import KNOWN

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
    estimated = estimate(LLAMA_2_7B, WORK, layers_per_pass=32)

    assert estimated.peak_bytes == sum(item.n_bytes for item in estimated.binding.items)


def test_fewer_layers_per_pass_take_less() -> None:
    collect = [estimate(LLAMA_2_7B, WORK, layers_per_pass=n).stages[0].n_bytes for n in (32, 8, 1)]

    assert collect == sorted(collect, reverse=True)
    assert collect[0] > 5 * collect[2]


def test_the_most_layers_that_fit_are_found() -> None:
    work = replace(WORK, chosen=Chosen(neurons=1, widest=1, layers=1, lowest=31))
    twenty = estimate(LLAMA_2_7B, work, layers_per_pass=20).peak_bytes

    assert fit(LLAMA_2_7B, work, budget_bytes=twenty) == Fit(layers=20, neurons=None)
    assert fit(LLAMA_2_7B, work, budget_bytes=twenty - 1) == Fit(layers=19, neurons=None)
    assert fit(LLAMA_2_7B, work, budget_bytes=1000) is None


def test_biases_of_the_feed_forward_and_of_attentions_output_are_parameters() -> None:
    sizes = {
        "num_hidden_layers": 2,
        "hidden_size": 8,
        "intermediate_size": 16,
        "num_attention_heads": 2,
        "vocab_size": 10,
    }
    plain = ModelShape.from_config(sizes, dtype_bytes=4)
    biased = ModelShape.from_config(
        sizes | {"attention_bias": True, "mlp_bias": True}, dtype_bytes=4
    )

    # two layers of q, k, v, o (8 each), gate and up (16 each), down (8)
    assert biased.n_param - plain.n_param == 2 * (4 * 8 + 2 * 16 + 8)


def test_what_lies_in_main_memory_does_not_count_on_a_gpu() -> None:
    there, here = (
        estimate(LLAMA_2_7B, WORK, layers_per_pass=1, on_host=on_host) for on_host in (False, True)
    )

    assert any(item.on_host for stage in here.stages for item in stage.items)
    assert not any(item.on_host for stage in there.stages for item in stage.items)
    assert there.peak_bytes <= here.peak_bytes


def test_the_stage_with_rows_counts_those_that_go_through_each_block() -> None:
    # 2 prompts of 3 tokens, 5 rows each at a layer; the 6 unchanged rows go along
    rows = RowPass(S=2, J=3, N=10, m=5, layers=2, n_layer=4, padded=True)

    assert [rows.rows(block) for block in (1, 2, 3)] == [40, 72, 72]  # 36 and 66, filled up
    assert (rows.top, rows.last, rows.kept(4), rows.kept(2)) == (72, 72, 184, 40)


@pytest.mark.parametrize("prompts", range(1, 10))
def test_rows_are_filled_up_by_as_few_as_make_their_number_round(prompts: int) -> None:
    for rows in range(1, 40):
        filled = filled_rows(rows, prompts=prompts)
        fitting = (n for n in range(rows, rows + FILLED_ROWS) if n * prompts % FILLED_ROWS == 0)

        assert filled == next(fitting)


def test_neurons_are_counted_by_layer() -> None:
    chosen = Chosen.of([3, 1, 3, 3])

    assert chosen == Chosen(neurons=4, widest=3, layers=2, lowest=1)


def test_references_of_one_length_are_run_together() -> None:
    found = References.of([1000, 10, 10, 10])

    # two of the longest fit into 2048 tokens, so at most two of any length
    assert found == References(texts=4, tokens=1030, longest=1000, at_once=1000, shortest=10)
    assert References.of([500] * 9).at_once == 2000


@pytest.mark.parametrize(
    ("n", "sizes"), [(0, []), (1, [1]), (3, [1, 1, 1]), (5, [2, 1, 1, 1]), (384, [96] * 4)]
)
def test_references_are_parted_evenly(n: int, sizes: list[int]) -> None:
    parts = parted(n)

    assert [len(part) for part in parts] == sizes
    assert [text for part in parts for text in part] == list(range(n))


def test_what_kept_edits_say_is_in_no_part_of_the_references() -> None:
    assert References.of([9, 9, 9], said=2).parts == [range(1)]


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_models_parameters_are_what_its_name_says(name: str) -> None:
    billions = {"7b": (6.5, 7.7), "13b": (12.8, 13.1), "8b": (7.9, 8.3), "1b": (1.2, 1.3)}
    billions |= {"1.5b": (1.5, 1.6)}
    size = re.search(r"-([\d.]+b)\b", name.lower())
    assert size is not None
    low, high = billions[size[1]]

    assert low < ModelShape.from_config(KNOWN[name], dtype_bytes=2).n_param / 1e9 < high
