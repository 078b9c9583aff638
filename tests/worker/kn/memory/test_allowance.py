"""What an edit may take, decided again as more of it becomes known."""

import pytest
import torch
from tiny_models import FAMILIES, Letters

from contract.memory import PreservedBatch, Workload, estimate, least_of
from worker.kn import Editor, EditRequest, HParams, Method, Resident
from worker.kn.collect.neuron import Neuron, Scored
from worker.kn.errors import OverBudgetError
from worker.kn.memory.allowance import Allowance
from worker.kn.methods.recipe import Selection

REQUEST = EditRequest(
    prompt="The capital is",
    target_new="Rome",
    method=Method.PAPER,
    hparams=HParams(steps=5, adaptive_threshold=0.05),
)


@pytest.fixture
def editor() -> Editor:
    torch.manual_seed(0)
    resident = Resident.of(FAMILIES["llama-mha-untied"](), Letters())
    return Editor(resident, reference_prompts=["a sea", "of words"])


def allowance(editor: Editor, *, budget_bytes: int | None) -> Allowance:
    return Allowance(editor.shape, editor.workload(REQUEST), 3, budget_bytes, on_host=True)


def scores(number: int) -> Selection:
    """Neurons of one layer, from 1 down to 1/number."""
    ranked = [Scored(Neuron(0, n), (number - n) / number) for n in range(number)]

    def above(threshold: float) -> tuple[Scored, ...]:
        return tuple(scored for scored in ranked if scored.score > threshold)

    return Selection(above(0.1), 0.0, 0.1, above)


def test_without_a_budget_all_is_allowed(editor: Editor) -> None:
    free = allowance(editor, budget_bytes=None)

    assert free.settle(free.work) == 3
    assert free.narrow(scores(40), threshold_max=None).neurons == scores(40).neurons
    free.preserve([PreservedBatch(1000, 1000, 10**6)])


def test_no_more_layers_share_a_pass_than_fit(editor: Editor) -> None:
    whole = allowance(editor, budget_bytes=None).predicted_bytes

    tight = allowance(editor, budget_bytes=whole * 2 // 3)

    assert tight.settle(tight.work) < 3
    assert tight.predicted_bytes <= whole


def test_a_pass_takes_fewer_layers_while_others_take_memory_and_never_none(editor: Editor) -> None:
    whole, work = allowance(editor, budget_bytes=None).predicted_bytes, editor.workload(REQUEST)
    two = estimate(editor.shape, least_of(editor.shape, work), layers_per_pass=2).peak_bytes
    left = [2 * whole]
    told: list[int] = []
    shrinking = Allowance(
        editor.shape, work, 3, whole, True, room_bytes=lambda: left[-1], lowered=told.append
    )

    took = [shrinking.next_layers()]
    for room in (two, 1000, 2 * whole):
        left.append(room)
        took.append(shrinking.next_layers())

    assert took == [3, 2, 1, 1]
    assert told == [2, 1]
    assert shrinking.predicted_bytes == whole  # one pass took three


def test_what_was_collected_takes_nothing_more(editor: Editor) -> None:
    """Others may take what only the passes needed: the write is held against what is left."""
    left = [10**9]
    shrinking = Allowance(
        editor.shape, editor.workload(REQUEST), 3, 10**9, True, room_bytes=lambda: left[-1]
    )
    shrinking.next_layers()
    passes = estimate(editor.shape, shrinking.work, layers_per_pass=3).stages[0].n_bytes

    left.append(passes - 1)

    assert shrinking.narrow(scores(2), threshold_max=None).neurons == scores(2).neurons


def test_what_does_not_fit_at_one_layer_is_refused_with_both_figures(editor: Editor) -> None:
    with pytest.raises(OverBudgetError, match="the budget is 1000"):
        allowance(editor, budget_bytes=1000).settle(editor.workload(REQUEST))


class TwentyFiveFit(Allowance):
    """There is room for so many neurons."""

    def _fits(self, work: Workload) -> bool:
        return work.chosen is None or work.chosen.neurons <= 25


@pytest.mark.parametrize("most", [0.5, 0.9])
def test_the_threshold_rises_only_as_far_as_it_must(editor: Editor, most: float) -> None:
    tight = TwentyFiveFit(editor.shape, editor.workload(REQUEST), 3, 10**9, on_host=True)

    narrowed = tight.narrow(scores(40), threshold_max=most)

    # 25 of 40 neurons have a score above 15/40
    assert len(narrowed.neurons) == 25
    assert tight.raised_threshold == pytest.approx(15 / 40, abs=1e-6)


def test_more_neurons_than_fit_are_refused_where_the_threshold_must_stay(editor: Editor) -> None:
    tight = allowance(editor, budget_bytes=allowance(editor, budget_bytes=None).predicted_bytes)
    tight.promised_bytes = 20_000

    with pytest.raises(OverBudgetError):
        tight.narrow(scores(40), threshold_max=None)


def test_an_edit_within_its_budget_is_the_edit_without_one(editor: Editor) -> None:
    free = editor.edit(REQUEST)

    held = editor.edit(REQUEST, budget_bytes=free.predicted_peak_bytes * 2 // 3)

    assert held.layers_per_pass < free.layers_per_pass == 3
    assert [s.neuron for s in held.neurons] == [s.neuron for s in free.neurons]
    assert held.after == free.after
    assert held.predicted_peak_bytes <= free.predicted_peak_bytes * 2 // 3


def test_an_edit_whose_memory_shrinks_on_the_way_is_the_same_with_fewer_layers(
    editor: Editor,
) -> None:
    free = editor.edit(REQUEST)
    whole = free.predicted_peak_bytes
    rooms = iter([2 * whole])  # as it begins

    held = editor.edit(
        REQUEST, budget_bytes=2 * whole, room_bytes=lambda: next(rooms, whole * 2 // 3)
    )

    assert held.layers_per_pass < free.layers_per_pass
    assert [s.neuron for s in held.neurons] == [s.neuron for s in free.neurons]
    assert held.after == free.after


def test_an_edit_that_turns_out_too_large_leaves_the_weights_as_they_were(editor: Editor) -> None:
    before = editor.fingerprint()

    with pytest.raises(OverBudgetError):
        editor.edit(REQUEST, budget_bytes=1000)

    assert editor.fingerprint() == before
