"""The memory formula beside traces of the engine's own code, and how a bench judges it."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from bench.memory.figures import error_of, figures_of, gpu_figures, percentile, traced_figures
from bench.memory.meta_tensors import resident_of
from bench.memory.on_gpu import on_gpu
from bench.memory.tracing import Collecting, Point, Writing, grid, traced
from contract.memory import RESPELLED_TOKENS
from contract.memory.known import KNOWN, LLAMA_2_7B
from contract.memory.writing import write_stages
from worker.kn.memory.metering import StorageMeter
from worker.kn.methods.whitening import whitened
from worker.kn.model.statement import Statement

MIB = 1024**2
FOUR_LAYERS = {"num_hidden_layers": 4}
ALONE = Collecting(
    model="meta-llama/Llama-2-7b-hf",
    dtype="bfloat16",
    prompts=(20,),
    answer=1,
    steps=20,
    layers=4,
    gated=False,
)
WRITTEN = Writing(
    model="meta-llama/Llama-2-7b-hf",
    dtype="bfloat16",
    prompts=(20,),
    answer=2,
    neurons=100,
    layers=4,
    protected=(24,),
    ended=True,
)
# Of a single token, so that every trace knows at which one a text feels the write most.
FEW_TEXTS: dict[str, Any] = {"reference_texts": 65, "reference_tokens": 1, "protected": (6,)}
TINY = LLAMA_2_7B | {
    "num_hidden_layers": 3,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 140,
}
NARROW = FOUR_LAYERS | {
    "hidden_size": 512,
    "intermediate_size": 64,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 512,
}
WIDE = FOUR_LAYERS | {
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "vocab_size": 512,
}
WHITENING = ("write_record", "write_references", "write_gathered", "write_solve")
SMALL = {
    "num_hidden_layers": 6,
    "hidden_size": 64,
    "intermediate_size": 172,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 258,
}
POINTS = {
    "all layers in one pass": ALONE,
    "one layer a pass": replace(ALONE, layers=1),
    "a long prompt": replace(ALONE, prompts=(1000,), steps=10),
    "a short one, one step": replace(ALONE, prompts=(4,), steps=1),
    "eight prompts": replace(ALONE, prompts=(60, 30, 41, 52, 60, 60, 33, 31), layers=2),
    "grouped heads, several tokens": replace(
        ALONE, model="meta-llama/Meta-Llama-3-8B", answer=3, dtype="float32"
    ),
    "biases, a wide feed-forward": replace(ALONE, model="Qwen/Qwen2.5-7B", prompts=(200, 180)),
    "heads with norms": replace(ALONE, model="Qwen/Qwen3-8B", prompts=(200,)),
    "a long prefix in half precision": replace(
        ALONE, model="meta-llama/Llama-3.2-1B", prompts=(2000,), dtype="float16", steps=50
    ),
    "gated units": replace(ALONE, gated=True, steps=50),
    "a write": WRITTEN,
    "a write of many neurons in one layer": replace(WRITTEN, neurons=3000, layers=1, ended=False),
    "a write for long prompts": replace(
        WRITTEN, model="Qwen/Qwen2.5-7B", prompts=(300, 250), protected=(400,)
    ),
}


@pytest.mark.parametrize("name", POINTS)
def test_a_trace_at_true_width_takes_what_was_predicted_within_a_hundredth(name: str) -> None:
    row = traced(POINTS[name], config=KNOWN[POINTS[name].model] | FOUR_LAYERS)

    assert row["observed_bytes"] > MIB
    assert -0.002 <= error_of(row) <= 0.01, row


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", ["meta-llama/Llama-2-7b-hf", "Qwen/Qwen3-8B"])
def test_where_the_feed_forward_is_narrow_attention_takes_what_was_predicted(
    model: str, dtype: str
) -> None:
    point = replace(ALONE, model=model, dtype=dtype, prompts=(150, 120), answer=2)

    row = traced(point, config=KNOWN[model] | NARROW)

    assert row["stage"] == "collect_attention"
    assert row["observed_bytes"] > MIB
    assert abs(error_of(row)) <= 0.002, row


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("point", "config"),
    [
        (replace(ALONE, prompts=(30, 32, 35), layers=3, gated=True), {}),
        (replace(ALONE, layers=6, answer=3), {"hidden_size": 384, "intermediate_size": 576}),
        (replace(ALONE, prompts=(12, 12), layers=1, answer=2), {"num_key_value_heads": 1}),
    ],
    ids=["prompts of unequal lengths", "a narrow feed-forward", "one head of keys"],
)
def test_a_small_model_takes_no_byte_more_than_was_predicted(
    point: Collecting, config: dict[str, int], dtype: str
) -> None:
    row = traced(replace(point, dtype=dtype), config=KNOWN[point.model] | SMALL | config)

    assert row["observed_bytes"] <= row["predicted_bytes"] <= 1.05 * row["observed_bytes"], row


@pytest.mark.parametrize(
    "point",
    [
        replace(ALONE, dtype="float32", layers=3, answer=2, prompts=(9, 5)),
        replace(WRITTEN, dtype="float32", neurons=9, layers=3, **FEW_TEXTS),
        replace(WRITTEN, dtype="float32", neurons=2, layers=1, prompts=(40, 30), **FEW_TEXTS),
    ],
    ids=["attribution", "a write", "one whose peak is its prompts'"],
)
def test_a_trace_without_values_takes_what_one_with_values_takes(point: Point) -> None:
    torch.manual_seed(0)
    resident = resident_of(TINY, torch.float32)
    with resident.frozen(), StorageMeter() as meter:
        point.run(resident)

    row = traced(point, config=TINY)

    assert row["observed_bytes"] == meter.peak_bytes


def test_a_search_of_three_steps_takes_what_one_of_a_hundred_takes() -> None:
    point = replace(WRITTEN, neurons=2, layers=1, **FEW_TEXTS)

    few, many = (traced(replace(point, steps=steps), config=TINY) for steps in (3, 100))

    assert few["stage"].startswith("search")
    assert few["observed_bytes"] == many["observed_bytes"]


@pytest.mark.parametrize(
    ("prompts", "answer", "texts", "stage"),
    [
        ((400, 300), 3, 2, "write_record"),
        ((60,), 40, 2, "write_record"),
        ((20, 18), 3, 400, "write_references"),
    ],
    ids=["long prompts", "a long answer", "many references"],
)
def test_a_prompt_with_two_spellings_takes_no_byte_more_than_was_predicted(
    prompts: tuple[int, ...], answer: int, texts: int, stage: str
) -> None:
    """The other spelling is as much longer as it may be."""
    point = replace(WRITTEN, prompts=prompts, answer=answer, neurons=60, reference_texts=texts)
    torch.manual_seed(0)
    resident = resident_of(LLAMA_2_7B | WIDE, torch.float32)
    task = point.task(resident)
    spellings = [[statement, _longer(statement)] for statement in task.new]

    with resident.frozen(), StorageMeter() as meter:
        whitened(task, spellings, point.units)

    stages = [s for s in write_stages(resident.shape, point.work) if s.name in WHITENING]
    predicted = max(stages, key=lambda stage: stage.n_bytes)
    assert predicted.name == stage
    assert meter.peak_bytes <= predicted.n_bytes <= 1.05 * meter.peak_bytes


def _longer(statement: Statement) -> Statement:
    return Statement.of([*statement.prompt, *[1] * RESPELLED_TOKENS], statement.answers)


def test_the_grid_has_as_many_points_as_are_asked_for_and_is_always_the_same() -> None:
    first, again = (list(grid(collecting=10, writing=5)) for _ in range(2))

    assert first == again
    assert sum(isinstance(point, Writing) for point in first) == 5
    assert len({point.model for point in first}) == 5


def test_an_error_is_relative_to_32_mib_at_least() -> None:
    assert error_of(row(observed=MIB, predicted=5 * MIB)) == 4 / 32
    assert error_of(row(observed=100 * MIB, predicted=99 * MIB)) == -0.01


def test_a_percentile_is_a_value_that_so_many_do_not_exceed() -> None:
    assert percentile(range(1, 101), 0.95) == 95
    assert percentile([7], 0.95) == 7


@pytest.mark.parametrize(
    ("predicted", "holds"), [(100, True), (107, False), (98, False), (99.5, True)]
)
def test_one_point_that_is_far_off_breaks_the_bar(predicted: float, holds: bool) -> None:
    good = [row(observed=100 * MIB, predicted=100 * MIB)] * 99
    rows = [*good, row(observed=100 * MIB, predicted=int(predicted * MIB))]

    assert traced_figures(rows)["holds"] is holds


def test_figures_are_of_absolute_errors() -> None:
    rows = [row(observed=100 * MIB, predicted=p * MIB) for p in (98, 101)]

    assert figures_of(rows) == {"points": 2, "p95": 0.02, "worst": 0.02, "lowest": -0.02}


def row(*, observed: int, predicted: int) -> dict[str, Any]:
    return {"kind": "collecting", "observed_bytes": observed, "predicted_bytes": predicted}


def test_what_is_measured_on_a_card_is_measured_on_the_cpu_too() -> None:
    rows = list(on_gpu("cpu", config=TINY, dtype=torch.float32, cards_bytes=(10**6, 10**9)))

    assert [row["out_of_memory"] for row in rows] == [False] * 6
    assert "refused" in rows[2]
    assert gpu_figures(rows)["holds"] is True
    assert gpu_figures([{"out_of_memory": True}])["holds"] is False
