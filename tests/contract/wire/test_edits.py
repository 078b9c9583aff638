"""What a request may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from contract.wire.edits import EditRequest, HParams, Method, Operation, Quadrature
from contract.wire.frozen import Frozen

LEAST = {"prompt": "a", "target_new": "b"}


def nested(levels: int) -> dict[str, Any]:
    """An object within lists within an object, so many of them in all."""
    value: Any = {}
    for _ in range(levels - 2):
        value = [value]
    return {"x": value}


def test_a_prompt_and_a_target_are_enough() -> None:
    request = EditRequest.model_validate(LEAST)

    assert (request.method, request.operation) == (Method.CALIBRATED, Operation.EDIT)
    assert request.hparams == HParams(steps=20, p=0.5, refine=True)
    assert request.model is None


@pytest.mark.parametrize(
    "part",
    [
        {"prompt": ""},
        {"prompt": " \n"},
        {"prompt": "x" * 4001},
        {"prompt": "\ud800"},
        {"prompt": None},
        {"target_new": ""},
        {"target_new": "\u3000"},
        {"target_new": "x" * 1001},
        {"ground_truth": ""},
        {"ground_truth": ["Paris"]},
        {"subject": "\udfff"},
        {"model": ""},
        {"base": "ckpt-1"},
        {"method": "rome"},
        {"operation": "ablate"},
        {"refine_prompts": ["x"] * 17},
        {"rephrase_prompts": "one text"},
        {"locality": ["a prompt alone"]},
        {"locality": [{"prompt": "x"}] * 65},
        {"portability": [{"prompt": "x", "answer": "y"}]},
        {"hparams": {"steps": 0}},
        {"hparams": {"steps": 301}},
        {"hparams": {"steps": 1.5}},
        {"hparams": {"p": 1}},
        {"hparams": {"p": float("nan")}},
        {"hparams": {"adaptive_threshold": 0}},
        {"hparams": {"adaptive_threshold": 1}},
        {"hparams": {"adaptive_threshold": float("inf")}},
        {"hparams": {"adaptive_threshold": 0.4, "adaptive_threshold_max": 0.3}},
        {"hparams": {"max_neurons": 0}},
        {"hparams": {"quadrature": "simpson"}},
        {"hparams": {"quadrature": "gauss_legendre"}, "method": "easyedit"},
        {"hparams": {"learning_rate": 1}},
        {"metadata": {"x": "y" * 10_000}},
        {"metadata": []},
        {"metadata": nested(51)},
        {"metadata": {"deep": [{"x": float("nan")}]}},
        {"metadata": {"x": float("inf")}},
        {"unheard_of": 1},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(part: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EditRequest.model_validate(LEAST | part)


@pytest.mark.parametrize(
    "part",
    [
        {"prompt": "x" * 4000},
        {"target_new": "x" * 1000},
        {"prompt": "\N{GRINNING FACE}\x00"},
        {"operation": "erase"},
        {"refine_prompts": ["x"] * 16},
        {"locality": [{"prompt": "x", "ground_truth": None}] * 64},
        {"hparams": {"steps": 300, "p": 0, "max_neurons": 100_000}},
        {"hparams": {"adaptive_threshold": 0.3, "adaptive_threshold_max": 0.3}},
        {"metadata": {"nested": {"list": [1, None, True]}}},
        {"metadata": nested(50)},
    ],
    ids=range(10),
)
def test_the_limits_themselves_are_allowed(part: dict[str, Any]) -> None:
    request = EditRequest.model_validate(LEAST | part)

    assert EditRequest.model_validate_json(request.model_dump_json()) == request


def test_a_request_cannot_be_changed() -> None:
    request = EditRequest.model_validate(LEAST)

    with pytest.raises(ValidationError):
        request.prompt = "another"


@pytest.mark.parametrize("method", ["calibrated", "paper"])
def test_points_may_be_laid_by_gauss_and_legendre(method: str) -> None:
    hparams = {"steps": 7, "quadrature": "gauss_legendre"}

    request = EditRequest.model_validate(LEAST | {"method": method, "hparams": hparams})

    assert request.hparams.quadrature is Quadrature.GAUSS_LEGENDRE


@pytest.mark.parametrize("steps", [30, 30.0])
def test_a_whole_number_may_be_written_with_a_point(steps: float) -> None:
    assert HParams(steps=steps).steps == 30


@pytest.mark.parametrize("steps", [30.5, "30", True, float("inf")])
def test_what_is_no_whole_number_is_refused(steps: object) -> None:
    with pytest.raises(ValidationError):
        HParams(steps=steps)


class Note(Frozen):
    """A wire value."""

    text: str


def test_a_text_that_was_read_is_not_kept_for_the_next_time() -> None:
    first, second = (Note.model_validate_json('{"text": "it passes by"}').text for _ in range(2))

    assert first == second
    assert first is not second
