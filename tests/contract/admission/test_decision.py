"""What is decided about an edit, with plain numbers."""

from dataclasses import replace

import pytest

from contract.admission.cards import GB, default_threshold
from contract.admission.decision import decide
from contract.memory import (
    Chosen,
    ModelShape,
    References,
    SequenceShape,
    Workload,
    Write,
    estimate,
    fit,
    least_of,
)
from contract.memory.known import LLAMA_2_7B
from contract.wire.edits import EditRequest, HParams, Method
from contract.wire.estimates import Decision

SHAPE = ModelShape.from_config(LLAMA_2_7B, dtype_bytes=2)
PROMPT = SequenceShape(prompt_tokens=8, answer_tokens=2)
WORK = Workload(
    attributed=(PROMPT,),
    attributed_new=(PROMPT,),
    written=(PROMPT,),
    evaluated=(PROMPT,) * 3,
    references=References.sampled(),
)


def peak(work: Workload, layers: int) -> int:
    return estimate(SHAPE, work, layers_per_pass=layers).peak_bytes


def test_what_fits_whole_is_admitted() -> None:
    admission = decide(SHAPE, WORK, budget_bytes=8 * GB)

    assert admission.decision is Decision.ADMIT
    assert admission.applied.layers_per_pass == 32
    assert admission.applied.max_neurons is None
    assert admission.reasons == ()


def test_fewer_layers_come_first_and_one_more_would_be_too_many() -> None:
    budget_bytes = peak(least_of(SHAPE, WORK), 32) * 3 // 4

    admission = decide(SHAPE, WORK, budget_bytes=budget_bytes)

    layers = admission.applied.layers_per_pass
    assert admission.decision is Decision.ADMIT_REDUCED
    assert 1 < layers < 32
    assert admission.predicted_peak_bytes <= budget_bytes
    assert peak(least_of(SHAPE, WORK), layers + 1) > budget_bytes
    assert "all 32 layers in one pass would take" in admission.reasons[0]


def test_a_bound_on_neurons_that_does_not_fit_is_reported_and_no_reason_to_refuse() -> None:
    work = replace(WORK, max_neurons=100_000)
    least = peak(least_of(SHAPE, work), 32)

    admission = decide(SHAPE, work, budget_bytes=least, threshold_max=0.4)

    assert admission.decision is Decision.ADMIT
    assert admission.applied.max_neurons is not None
    assert admission.predicted_peak_bytes <= least
    assert "the threshold is raised, up to 0.4" in admission.reasons[0]


def test_the_most_neurons_that_are_sure_to_fit_are_found_to_the_last_one() -> None:
    work = replace(WORK, max_neurons=100_000)
    budget_bytes = 4 * GB

    found = fit(SHAPE, work, budget_bytes=budget_bytes)

    assert found is not None and found.neurons is not None
    for neurons, fits in ((found.neurons, True), (found.neurons + 1, False)):
        chosen = Chosen(neurons=neurons, widest=min(neurons, SHAPE.d_ff), layers=32)
        assert (peak(replace(work, chosen=chosen), found.layers) <= budget_bytes) is fits


def test_what_is_searched_is_written_in_every_layer_at_the_least() -> None:
    fewest = least_of(SHAPE, WORK).chosen
    capped = least_of(SHAPE, replace(WORK, max_neurons=5)).chosen
    direct = least_of(SHAPE, replace(WORK, write=Write.DIRECT)).chosen

    assert fewest == Chosen(neurons=32, widest=1, layers=32, lowest=0)
    assert capped == Chosen(neurons=5, widest=1, layers=5, lowest=0)
    assert direct == Chosen(neurons=1, widest=1, layers=1, lowest=31)


def test_texts_that_the_model_has_still_to_say_may_be_as_short_as_can_be() -> None:
    assert least_of(SHAPE, WORK).references.longest == 1


def test_a_prediction_is_never_below_the_least() -> None:
    least = peak(least_of(SHAPE, WORK), 32)

    admission = decide(SHAPE, WORK, budget_bytes=least)

    assert admission.decision is Decision.ADMIT
    assert admission.predicted_peak_bytes == least


def test_what_does_not_fit_now_and_did_before_waits() -> None:
    admission = decide(SHAPE, WORK, budget_bytes=10**8, rest_bytes=8 * GB)

    assert admission.decision is Decision.DEFER
    assert admission.reasons[-1] == "it will fit once other processes have freed their memory"


def test_what_never_fits_is_refused_with_the_largest_settings_that_would() -> None:
    long = SequenceShape(prompt_tokens=1000, answer_tokens=2)
    heavy = replace(
        WORK, attributed=(PROMPT, long), attributed_new=(PROMPT, long), written=(PROMPT, long)
    )
    budget_bytes = peak(least_of(SHAPE, replace(WORK, evaluated=(PROMPT, PROMPT))), 1)

    admission = decide(SHAPE, heavy, budget_bytes=budget_bytes, rest_bytes=budget_bytes)

    assert admission.decision is Decision.REJECT
    assert admission.largest_fit is not None
    assert (admission.largest_fit.prompts, admission.largest_fit.steps) == (1, 20)
    assert "would fit: steps 20, prompts 1" in admission.reasons[-1]


def test_where_the_weights_leave_no_room_that_is_said() -> None:
    admission = decide(SHAPE, WORK, budget_bytes=0)

    assert admission.decision is Decision.REJECT
    assert admission.largest_fit is None
    assert "use a smaller model, or spread it over several cards" in admission.reasons[-1]


def test_the_items_add_up_to_the_peak() -> None:
    for budget_bytes in (0, 2 * GB, 80 * GB, None):
        admission = decide(SHAPE, WORK, budget_bytes=budget_bytes)

        assert sum(item.bytes for item in admission.items) == admission.predicted_peak_bytes


@pytest.mark.parametrize(
    ("card_bytes", "threshold"), [(16 * GB, 0.45), (25 * GB, 0.4), (48 * GB, 0.35), (85 * GB, 0.3)]
)
@pytest.mark.parametrize("method", [Method.PAPER, Method.EASYEDIT])
def test_methods_without_a_search_take_their_threshold_from_the_card(
    method: Method, card_bytes: int, threshold: float
) -> None:
    request = EditRequest(prompt="a", target_new="b", method=method)

    assert default_threshold(request, card_bytes=card_bytes) == threshold


def test_a_threshold_of_ones_own_stands_and_its_maximum_is_kept() -> None:
    own = EditRequest(
        prompt="a", target_new="b", method=Method.PAPER, hparams=HParams(adaptive_threshold=0.2)
    )
    capped = own.model_copy(update={"hparams": HParams(adaptive_threshold_max=0.25)})

    assert default_threshold(own, card_bytes=8 * GB) is None
    assert default_threshold(capped, card_bytes=8 * GB) == 0.25
    assert default_threshold(EditRequest(prompt="a", target_new="b"), card_bytes=8 * GB) is None
