"""The largest settings that are told of a refused request: they fit when they are sent."""

import random
from collections.abc import Sequence

import pytest
from finished_edits import finished

from contract.admission.bases import on_top_of
from contract.admission.decision import decide
from contract.memory import ModelShape
from contract.wire.checkpoints import CheckpointView
from contract.wire.edits import EditRequest, HParams, Method, Probe
from contract.wire.estimates import Admission, Decision, LargestFit

SHAPE = ModelShape(
    n_layer=6, d_model=128, d_ff=384, n_head=4, n_kv_head=4, d_head=32, n_vocab=1000, tied=False
)
SEEDS = range(40)
Base = Sequence[CheckpointView]


def texts(draw: random.Random, numbers: Sequence[int], letter: str = "w") -> tuple[str, ...]:
    return tuple(letter * n for n in draw.sample(range(2, 301), draw.choice(numbers)))


def a_request(draw: random.Random) -> EditRequest:
    """Of as many tokens as characters."""
    return EditRequest(
        prompt="v" * draw.randint(1, 300),
        target_new="w" * draw.choice((1, 9)),
        method=draw.choice(list(Method)),
        refine_prompts=texts(draw, (0, 4, 16)),
        protect_prompts=texts(draw, (0, 2, 16), "x"),
        rephrase_prompts=texts(draw, (0, 3)),
        locality=tuple(map(_probe, texts(draw, (0, 40)))),
        hparams=HParams(steps=draw.choice((7, 100, 300)), max_neurons=draw.choice((None, 5000))),
    )


def _probe(prompt: str) -> Probe:
    return Probe(prompt=prompt)


def decided(request: EditRequest, budget_bytes: int, *, base: Base = ()) -> Admission:
    return decide(SHAPE, on_top_of(base, request, len), budget_bytes=budget_bytes)


def sent(request: EditRequest, fit: LargestFit) -> EditRequest:
    """The request as it is told to fit."""
    n = len(request.rephrase_prompts)
    settings = {"steps": fit.steps}
    if fit.max_neurons is not None:
        settings["max_neurons"] = fit.max_neurons
    return request.model_copy(
        update={
            "refine_prompts": request.refine_prompts[: fit.prompts - 1],
            "protect_prompts": request.protect_prompts[: fit.protect_prompts],
            "rephrase_prompts": request.rephrase_prompts[: fit.questions],
            "locality": request.locality[: max(0, fit.questions - n)],
            "hparams": request.hparams.model_copy(update=settings),
        }
    )


def refused(seed: int, *, base: Base = ()) -> tuple[EditRequest, int, LargestFit]:
    """A request and the budget by which it is refused though some of it fits."""
    draw = random.Random(seed)
    while True:
        request = a_request(draw)
        whole = decided(request, 10**15, base=base).predicted_peak_bytes
        budget_bytes = int(whole * draw.choice((0.02, 0.1, 0.3)))
        fit = decided(request, budget_bytes, base=base).largest_fit
        if fit is not None:
            return request, budget_bytes, fit


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_told_to_fit_is_admitted_when_it_is_sent(seed: int) -> None:
    request, budget_bytes, fit = refused(seed)

    admission = decided(sent(request, fit), budget_bytes)

    assert admission.decision is not Decision.REJECT
    if fit.max_neurons is not None:
        assert admission.applied.max_neurons is None  # as many are sure to fit


@pytest.mark.parametrize("seed", SEEDS[:10])
def test_what_is_told_to_fit_on_a_base_is_admitted_when_it_is_sent(seed: int) -> None:
    draw = random.Random(seed)
    said = [("prompt", "y" * draw.randint(1, 90), "z") for _ in range(draw.choice((1, 30)))]
    base = [finished("a", *said)]
    request, budget_bytes, fit = refused(seed, base=base)

    admission = decided(sent(request, fit), budget_bytes, base=base)

    assert fit.protect_prompts <= len(request.protect_prompts)
    assert admission.decision is not Decision.REJECT


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_of_it_could_be_larger(seed: int) -> None:
    request, budget_bytes, fit = refused(seed)
    whole = {
        "steps": request.hparams.steps,
        "prompts": 1 + len(request.refine_prompts),
        "protect_prompts": len(request.protect_prompts),
        "questions": len(request.rephrase_prompts) + len(request.locality),
    }
    more = [
        fit.model_copy(update={name: getattr(fit, name) + 1})
        for name, most in whole.items()
        if getattr(fit, name) < most
    ]

    assert more
    for settings in more:
        admission = decided(sent(request, settings), budget_bytes)
        sure = admission.decision is not Decision.REJECT and admission.applied.max_neurons is None
        assert not sure


def test_a_request_of_which_nothing_fits_is_told_nothing() -> None:
    request = EditRequest(prompt="w" * 300, target_new="w")

    assert decided(request, 1000).largest_fit is None
