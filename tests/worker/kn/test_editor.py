"""Whole edits on tiny models with random weights."""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
import torch
from tiny_models import FAMILIES, Letters

from worker.kn import (
    BadRequestError,
    Editor,
    EditRequest,
    HParams,
    Method,
    NoNeuronsError,
    NonFiniteError,
    Operation,
    Probe,
    Resident,
    Rule,
)
from worker.kn.write.weights import edited

REQUEST = EditRequest(
    prompt="The capital is",
    target_new="Rome.",  # a random model may go on with letters: a word would not end
    subject="France",
    ground_truth="Paris",
    refine_prompts=("Its capital:",),
    rephrase_prompts=("Capital?",),
    locality=(Probe("The sea is"),),
)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_calibrated_edit_holds_in_every_family(family: str) -> None:
    result = _editor(family).edit(REQUEST)

    assert result.held
    assert result.after[0].text.startswith("Rome.")
    assert result.metrics.rewrite_acc == 1.0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("family", "method"),
    [
        ("llama-3-rope", Method.CALIBRATED),
        ("mistral-window", Method.PAPER),
        ("qwen2.5-tied", Method.EASYEDIT),
        ("qwen3-tied", Method.CALIBRATED),
    ],
)
def test_half_precision_edits_are_finite_and_keep_the_dtype(
    family: str, dtype: torch.dtype, method: Method
) -> None:
    editor = _editor(family, dtype)

    result = editor.edit(_with(method=method))

    assert {write.B.dtype for write in result.adapter.writes} == {dtype}
    assert all(math.isfinite(scored.score) and scored.score > 0 for scored in result.neurons)
    with edited(editor.resident, result.adapter):
        for block in editor.resident.blocks:
            assert torch.isfinite(block.down_weight).all()


@pytest.mark.parametrize(
    "mode", [torch.inference_mode, lambda: torch.autocast("cpu", dtype=torch.bfloat16)]
)
def test_an_edit_is_the_same_whatever_mode_its_caller_is_in(
    mode: Callable[[], AbstractContextManager[None]],
) -> None:
    plain, other = _editor("llama-gqa-tied"), _editor("llama-gqa-tied")
    result = plain.edit(REQUEST)
    files = plain.files(result, "base")
    plain.keep(result)

    with mode():
        again = other.edit(REQUEST)
        files_again = other.files(again, "base")
        other.verify(again, files_again)
        other.keep(again)

    assert again.completeness == result.completeness
    assert files_again == files
    assert other.fingerprint() == plain.fingerprint()


@pytest.mark.parametrize("method", Method)
def test_the_weights_are_the_same_after_every_method(method: Method) -> None:
    editor = _editor("llama-gqa-tied")
    before = copy.deepcopy(editor.resident.model.state_dict())

    editor.edit(_with(method=method))

    for name, weight in editor.resident.model.state_dict().items():
        assert torch.equal(weight, before[name]), name


@pytest.mark.parametrize("method", Method)
def test_an_edit_can_be_stopped_in_any_pass(method: Method) -> None:
    editor = _editor("llama-gqa-tied")
    before = copy.deepcopy(editor.resident.model.state_dict())
    passes: list[None] = []
    editor.edit(_with(method=method), between=lambda: passes.append(None))

    for stopped in {0, 1, len(passes) // 2, len(passes) - 1}:
        left = iter(range(stopped))

        def stop(left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise TimeoutError

        with pytest.raises(TimeoutError):
            editor.edit(_with(method=method), between=stop)
        for name, weight in editor.resident.model.state_dict().items():
            assert torch.equal(weight, before[name]), (stopped, name)
        assert not any(m._forward_pre_hooks for m in editor.resident.model.modules())


@pytest.mark.parametrize("phase", ["collect", "write", "evaluate"])
def test_an_edit_stopped_in_any_phase_leaves_the_model_as_it_was(phase: str) -> None:
    editor = _editor("llama-mha-untied")
    before = copy.deepcopy(editor.resident.model.state_dict())
    usual = editor.resident.model.config._attn_implementation

    def stop(now: str, done: int, total: int) -> None:
        if now == phase:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        editor.edit(REQUEST, watch=stop)

    assert editor.resident.model.config._attn_implementation == usual
    assert all(not module._forward_hooks for module in editor.resident.model.modules())
    assert all(not module._forward_pre_hooks for module in editor.resident.model.modules())
    for name, weight in editor.resident.model.state_dict().items():
        assert torch.equal(weight, before[name]), name


def test_only_columns_of_the_chosen_neurons_are_written() -> None:
    result = _editor("llama-mha-untied").edit(REQUEST)

    assert result.adapter.neurons == {scored.neuron for scored in result.neurons}


def test_an_erased_column_is_exactly_zero() -> None:
    editor = _editor("llama-mha-untied")

    result = editor.edit(_with(method=Method.PAPER, operation=Operation.ERASE, refine_prompts=()))

    with edited(editor.resident, result.adapter):
        for write in result.adapter.writes:
            columns = editor.resident.blocks[write.layer].down_weight[:, list(write.units)]
            assert torch.equal(columns, torch.zeros_like(columns))


def test_what_is_true_and_worth_knowing_is_warned_of() -> None:
    result = _editor("llama-mha-untied").edit(_with(hparams=HParams(steps=300)))

    assert {w.code for w in result.warnings} == {"ground_truth_differs", "subject_not_in_prompt"}


@pytest.mark.parametrize(("steps", "warned"), [(2, True), (300, False)])
@pytest.mark.parametrize("method", Method)
def test_attributions_that_are_far_from_complete_are_warned_of(
    method: Method, steps: int, warned: bool
) -> None:
    result = _editor("llama-mha-untied").edit(
        _with(method=method, hparams=HParams(steps=steps, adaptive_threshold=0.02, refine=False))
    )

    assert ("attribution_incomplete" in {w.code for w in result.warnings}) is warned


def test_the_answer_that_is_there_already_is_an_edit_that_holds_with_a_warning() -> None:
    editor = _editor("llama-mha-untied")
    editor.keep(editor.edit(REQUEST))

    result = editor.edit(REQUEST)

    assert result.held
    assert "target_already_held" in {w.code for w in result.warnings}


@pytest.mark.parametrize("method", Method)
def test_more_steps_bring_attributions_nearer_to_complete(method: Method) -> None:
    few, many = (
        _editor("llama-mha-untied").edit(
            _with(method=method, hparams=HParams(steps=steps, refine=False))
        )
        for steps in (5, 300)
    )

    assert 0 <= many.completeness < few.completeness
    assert many.as_json()["completeness"] == many.completeness


def test_fewer_layers_per_pass_choose_the_same_neurons() -> None:
    whole = _editor("llama-mha-untied").edit(REQUEST)
    parts = _editor("llama-mha-untied").edit(REQUEST, layers_per_pass=1)

    assert [s.neuron for s in parts.neurons] == [s.neuron for s in whole.neurons]


def test_a_threshold_that_nothing_passes_is_an_error() -> None:
    request = _with(
        method=Method.PAPER,
        refine_prompts=("zzz", "qqq", "!!!"),
        hparams=HParams(adaptive_threshold=0.999, p=0.9),
    )

    with pytest.raises(NoNeuronsError, match="lower adaptive_threshold or p"):
        _editor("llama-mha-untied").edit(request)


@pytest.mark.parametrize("method", Method)
def test_a_model_that_overflows_is_refused_as_not_finite(method: Method) -> None:
    editor = _editor("llama-mha-untied")
    with torch.no_grad():
        editor.resident.blocks[1].down_weight.mul_(math.inf)

    with pytest.raises(NonFiniteError):
        editor.edit(_with(method=method))


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("target", ["Rome", "a much longer answer"])
def test_the_observed_peak_stays_below_the_predicted_one(method: Method, target: str) -> None:
    result = _editor("llama-mha-untied").edit(
        _with(method=method, target_new=target, refine_prompts=())
    )

    assert 0 < result.observed_peak_bytes <= result.predicted_peak_bytes


def test_each_stage_tells_its_own_peak_beside_the_predicted_one() -> None:
    result = _editor("llama-mha-untied").edit(REQUEST)

    stages = result.as_json()["memory"]["stages"]
    assert [seen["stage"] for seen in stages] == ["collect", "write", "evaluate"]
    assert all(0 < seen["observed_bytes"] <= seen["predicted_bytes"] for seen in stages)
    for seen in stages:
        assert sum(item["bytes"] for item in seen["items"]) == seen["predicted_bytes"]
    assert max(seen["predicted_bytes"] for seen in stages) == result.predicted_peak_bytes
    assert max(seen["observed_bytes"] for seen in stages) == result.observed_peak_bytes


@pytest.mark.parametrize(
    "changes",
    [
        {"protect_prompts": ("a long prompt of more letters",)},
        {"refine_prompts": ("The place where its government is", "Its", "It")},
        {"hparams": HParams(steps=9, quadrature=Rule.GAUSS_LEGENDRE)},
        {"ground_truth": None},
    ],
)
def test_uneven_requests_stay_below_their_predicted_peak(changes: dict[str, object]) -> None:
    result = _editor("llama-mha-untied").edit(_with(rephrase_prompts=(), **changes))

    assert 0 < result.observed_peak_bytes <= result.predicted_peak_bytes


def test_an_edit_whose_memory_is_not_measured_says_so() -> None:
    torch.manual_seed(0)
    resident = Resident.of(FAMILIES["llama-mha-untied"](), Letters())
    editor = Editor(resident, reference_prompts=["a sea"], measure_memory=False)

    result = editor.edit(REQUEST)

    assert result.as_json()["memory"]["observed_peak_bytes"] is None


@pytest.mark.parametrize("prompts", [[" "], "a sea", ["x" * 65]])
def test_references_that_are_no_texts_are_refused(prompts: list[str]) -> None:
    resident = Resident.of(FAMILIES["llama-mha-untied"](), Letters())

    with pytest.raises(BadRequestError):
        Editor(resident, reference_prompts=prompts)


def test_layers_per_pass_are_at_least_one() -> None:
    with pytest.raises(BadRequestError):
        _editor("llama-mha-untied").edit(REQUEST, layers_per_pass=-1)


def _editor(family: str, dtype: torch.dtype = torch.float32) -> Editor:
    torch.manual_seed(0)
    resident = Resident.of(FAMILIES[family]().to(dtype), Letters())
    return Editor(resident, reference_prompts=["a sea", "of words"])


def _with(**changes: object) -> EditRequest:
    return replace(REQUEST, **changes)  # type: ignore[arg-type]
