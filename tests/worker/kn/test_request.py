"""What the engine takes as a request, and that the service takes the same."""

from typing import Any

import pytest
from pydantic import ValidationError

from contract.wire.edits import EditRequest as WireRequest
from worker.kn import BadRequestError, EditRequest, HParams, Method, Operation, Probe

LEAST: dict[str, Any] = {"prompt": "a", "target_new": "b"}
REFUSED: list[dict[str, Any]] = [
    {"prompt": None},
    {"prompt": " \n"},
    {"prompt": "x" * 4001},
    {"target_new": " "},
    {"target_new": "x" * 1001},
    {"target_new": "\ud800"},
    {"subject": 5},
    {"subject": " "},
    {"ground_truth": 7},
    {"ground_truth": "x" * 1001},
    {"method": "magic"},
    {"operation": "ablate"},
    {"refine_prompts": "c"},
    {"refine_prompts": ["c"] * 17},
    {"rephrase_prompts": [7]},
    {"protect_prompts": [" "]},
    {"protect_prompts": ["a"]},
    {"refine_prompts": ["c d"], "protect_prompts": [" c  d"]},
    {"locality": "c"},
    {"locality": ["c"]},
    {"locality": [{"ground_truth": "c"}]},
    {"locality": [{"prompt": ""}]},
    {"locality": [{"prompt": "c"}] * 65},
    {"portability": [{"prompt": "c", "ground_truth": "x" * 1001}]},
    {"hparams": "few"},
    {"hparams": {"steps": 0}},
    {"hparams": {"steps": 301}},
    {"hparams": {"steps": True}},
    {"hparams": {"stops": 3}},
    {"hparams": {"p": 1}},
    {"hparams": {"p": -0.1}},
    {"hparams": {"p": float("nan")}},
    {"hparams": {"refine": 1}},
    {"hparams": {"adaptive_threshold": 0}},
    {"hparams": {"adaptive_threshold": float("inf")}},
    {"hparams": {"adaptive_threshold_max": -0.1}},
    {"hparams": {"adaptive_threshold_max": 1.0}},
    {"hparams": {"adaptive_threshold": 0.4, "adaptive_threshold_max": 0.3}},
    {"hparams": {"max_neurons": 0}},
    {"hparams": {"max_neurons": 2.5}},
    {"hparams": {"max_neurons": 100_001}},
    {"hparams": {"quadrature": "simpson"}},
    {"hparams": {"quadrature": "gauss_legendre"}, "method": "easyedit"},
]
TAKEN: list[dict[str, Any]] = [
    {},
    {"prompt": "x" * 4000, "target_new": "y" * 1000},
    {"method": "paper", "operation": "erase"},
    {"refine_prompts": ["c", "c"], "protect_prompts": ["d"] * 16},
    {"locality": [{"prompt": "c", "ground_truth": None}] * 64},
    {"hparams": {"steps": 300, "p": 0, "max_neurons": 100_000, "quadrature": "gauss_legendre"}},
    {"hparams": {"adaptive_threshold": 0.3, "adaptive_threshold_max": 0.3}},
]


@pytest.mark.parametrize("part", REFUSED, ids=lambda part: str(part)[:70])
def test_what_cannot_be_meant_is_refused_by_engine_and_service_alike(part: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError):
        EditRequest.parse(LEAST | part)
    with pytest.raises(ValidationError):
        WireRequest.model_validate(LEAST | part)


@pytest.mark.parametrize("part", TAKEN, ids=lambda part: str(part)[:70])
def test_what_the_service_takes_the_engine_takes(part: dict[str, Any]) -> None:
    wire = WireRequest.model_validate(LEAST | part)

    request = EditRequest.parse(wire.model_dump(mode="json"))

    assert request.steering_prompts == wire.steering_prompts
    assert request.hparams.steps == wire.hparams.steps


@pytest.mark.parametrize("kind", [EditRequest, WireRequest])
def test_a_prompt_that_is_given_twice_steers_once(kind: Any) -> None:
    request = kind(prompt="a", target_new="b", refine_prompts=["c", "a ", "c", "a\n"])

    assert request.steering_prompts == ("a", "c", "a\n")


@pytest.mark.parametrize("record", [None, [], "a", 7])
def test_what_is_no_record_is_refused(record: Any) -> None:
    with pytest.raises(BadRequestError, match="not fields by name"):
        EditRequest.parse(record)


def test_a_record_without_a_target_is_refused() -> None:
    with pytest.raises(BadRequestError, match="target_new is missing"):
        EditRequest.parse({"prompt": "a"})


def test_a_data_sets_answers_are_read_whether_one_or_several() -> None:
    record = LEAST | {"ground_truth": ["c", "d"], "locality": [{"prompt": "e", "ground_truth": []}]}

    request = EditRequest.parse(record)

    assert request.ground_truth == "c"
    assert request.locality == (Probe("e", None),)


def test_a_method_may_be_named_by_its_text() -> None:
    request = EditRequest(prompt="a", target_new="b", method="paper", operation="erase")

    assert request.method is Method.PAPER
    assert request.operation is Operation.ERASE


def test_lists_are_taken_and_frozen() -> None:
    request = EditRequest(prompt="a", target_new="b", refine_prompts=["c"])

    assert request.refine_prompts == ("c",)


@pytest.mark.parametrize("name", ["refine_prompts", "locality"])
def test_a_text_is_not_several(name: str) -> None:
    with pytest.raises(BadRequestError, match=name):
        EditRequest(prompt="a", target_new="b", **{name: "c"})


def test_hparams_are_checked_however_they_are_made() -> None:
    with pytest.raises(BadRequestError, match=r"max_neurons is 100001, not in 1\.\.100000"):
        HParams(max_neurons=100_001)
