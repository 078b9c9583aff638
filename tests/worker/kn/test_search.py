"""The pure parts of the search for a write's strength."""

import math

import pytest
import torch

from contract.memory import KEPT_TEXTS, KEPT_TOKENS_PER_TEXT
from worker.kn import EditRequest, Resident
from worker.kn.methods.calibrated import Calibrated
from worker.kn.methods.search import Descent, Kept, Search, Standing, _leads, _padded_little
from worker.kn.methods.whitening import Direction
from worker.kn.recipe import Task


def test_references_are_taken_in_turn_and_protected_ones_each_time() -> None:
    references = [[n] for n in range(3 * KEPT_TEXTS)]
    kept = Kept(protected=[[99]], references=references)

    assert kept.at(0, turns=2) == [[99], *references[:KEPT_TEXTS]]
    assert kept.at(1, turns=2) == [[99], *references[KEPT_TEXTS : 2 * KEPT_TEXTS]]
    assert kept.at(2, turns=2) == kept.at(0, turns=2)


def test_few_references_are_all_taken_each_time() -> None:
    kept = Kept(protected=[], references=[[1], [2]])

    assert kept.at(0, turns=4) == kept.at(3, turns=4) == [[1], [2]]


def test_a_step_has_the_same_length_whatever_the_gradients() -> None:
    for size in (1e-6, 1e6):
        descent = Descent([_direction(0), _direction(1)], 4, Search(momentum=0.0))
        for b in descent.B:
            b.grad = torch.full_like(b, size)

        descent.step()

        moved = torch.cat([b.detach().flatten() for b in descent.B])
        assert moved.norm().item() == pytest.approx(0.05 * 2)  # η times the streams' length


def test_a_token_leads_by_its_distance_to_the_best_other() -> None:
    logits = torch.tensor([[[3.0, 1.0, 0.0], [3.0, 1.0, 0.0]]])

    assert _leads(logits, torch.tensor([[0, 1]])).tolist() == [[2.0, -2.0]]


def test_a_search_ends_where_all_lead_by_the_margin() -> None:
    assert Search().ends([Standing(lead=-3.0, shortfall=10.0), Standing(lead=7.0, shortfall=0.0)])


def test_the_margin_follows_how_sure_the_model_was_within_bounds() -> None:
    search = Search(ending_margin=4.0)

    assert search.margin(10.0) == pytest.approx((6.0, 4.0))
    assert search.margin(0.1) == (5.0, 4.0)
    assert search.margin(50.0) == (10.0, 4.0)


def test_a_search_goes_on_while_the_margin_is_in_reach() -> None:
    """3 nats are in reach of 41 steps at 0.1 a step, and not of 36 at half that pace."""
    stood = [Standing(lead=4.0 - 0.1 * i, shortfall=3.0 + 0.1 * i) for i in range(59, -1, -1)]
    slower = [Standing(s.lead, s.shortfall) for s in stood] + [stood[-1]] * 5

    assert not Search().ends(stood)
    assert Search().ends(slower)


def test_a_search_goes_on_as_long_as_the_answer_does_not_lead() -> None:
    assert not Search().ends([Standing(lead=-1.0, shortfall=8.0)] * 99)


def test_a_lead_that_is_no_number_is_lost() -> None:
    leads = torch.tensor([[9.0, float("nan")]])

    assert Standing.of(leads, torch.full_like(leads, 7.0)) == (-math.inf, math.inf)


def test_an_answer_that_leads_from_the_start_is_held_firmer_by_one_step(llama: Resident) -> None:
    told = []
    task = _task(llama)
    leading = Search(most_margin=-100.0, ending_margin=-100.0)
    method = Calibrated(leading)

    with llama.frozen():
        neurons = method.select(task, told=lambda done, total: None).neurons
        writes = method.write(task, neurons, told=lambda done, total: told.append(done))

    assert told == [0, 1, 100]
    assert all(write.B.abs().sum() > 0 for write in writes)


def _task(resident: Resident) -> Task:
    return Task(
        resident=resident,
        request=EditRequest(prompt="The capital is", target_new="Rome"),
        ground_truth="Paris",
        own_ids=(),
        ending=None,
        references=[[1, 40, 50], [1, 60]],
        layers_per_pass=3,
    )


def test_a_long_text_is_run_by_itself() -> None:
    long = list(range(KEPT_TOKENS_PER_TEXT + 1))

    assert _padded_little([[1], long, [2, 3]]) == [[[1], [2, 3]], [long]]


def _direction(layer: int) -> Direction:
    return Direction(layer, [0, 1], torch.ones(1, 2), length=2.0, clearness=1.0)
