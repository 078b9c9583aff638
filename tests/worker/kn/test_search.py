"""The pure parts of the search for a write's strength."""

import math

import pytest
import torch

from contract.memory import KEPT_TOKENS_PER_TEXT
from worker.kn import EditRequest, Resident
from worker.kn.methods.calibrated import Calibrated
from worker.kn.methods.search import (
    Descent,
    Holding,
    Kept,
    Search,
    Standing,
    _hold,
    _leads,
    _padded_little,
)
from worker.kn.methods.whitening import Direction, Felt, Fold
from worker.kn.recipe import Task


def test_references_are_taken_in_turn_and_protected_ones_each_time() -> None:
    always, *parts = (Holding([[n]], []) for n in range(3))
    kept = Kept(always, parts)

    assert kept.at(0) == [always, parts[0]]
    assert kept.at(1) == [always, parts[1]]
    assert kept.at(2) == kept.at(0)


def test_a_part_is_held_as_it_is_and_as_if_it_began_to_give_the_new_answer(
    llama: Resident,
) -> None:
    task = _task(llama, target="Rome Oslo")
    begins = task.new[0].answers[:-1]
    fold = Fold([], [Felt(0, 1), Felt(1, 0)])

    texts = Holding.of(task, fold).texts

    assert begins
    assert texts == [[1, 40, 50], [1, 60], [1, 40, *begins], [1, *begins]]


def test_an_answer_too_long_to_be_begun_in_a_kept_text_is_not_crossed(llama: Resident) -> None:
    task = _task(llama, target="R" * KEPT_TOKENS_PER_TEXT)

    assert Holding.of(task, Fold([], [Felt(0, 1)])).texts == [[1, 40, 50]]


def test_a_text_is_held_along_the_directions_of_its_own_holding(llama: Resident) -> None:
    B = torch.ones(llama.shape.d_model, 1, requires_grad=True)

    def pull(A: torch.Tensor) -> float:
        B.grad = None
        holding = Holding([[1, 40, 50]], [Direction(0, [0, 1], A, length=1.0, clearness=1.0)])
        with llama.frozen():
            _hold(llama, [holding], [B], temperature=2.0)
        assert B.grad is not None
        return B.grad.norm().item()

    assert pull(torch.ones(1, 2)) > 0
    assert pull(torch.zeros(1, 2)) == 0


def test_a_step_has_the_same_length_whatever_the_gradients() -> None:
    for size in (1e-6, 1e6):
        descent = _descent()

        descent.step(_pull(descent, size), _pull(descent, 0.0))

        assert _moved(descent).norm().item() == pytest.approx(0.05 * 2)  # η times the length


def test_what_is_held_cannot_turn_the_way_back() -> None:
    free, held = _descent(), _descent()
    free.step(_pull(free, 1.0), _pull(free, 0.0))
    held.step(_pull(held, 1.0), _pull(held, -100.0))

    assert torch.allclose(_moved(free), _moved(held), rtol=1e-4)


def test_what_is_held_turns_aside_a_way_that_it_does_not_oppose() -> None:
    descent = _descent()
    aside = [torch.zeros_like(b) for b in descent.B]
    aside[0][0, 0] = 100.0

    descent.step(_pull(descent, 1.0), aside)

    moved = _moved(descent)
    assert abs(moved[0]) > 3 * abs(moved[1]) > 0


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


def _task(resident: Resident, target: str = "Rome") -> Task:
    return Task(
        resident=resident,
        request=EditRequest(prompt="The capital is", target_new=target),
        ground_truth="Paris",
        own_ids=(),
        ending=None,
        references=[[1, 40, 50], [1, 60]],
        layers_per_pass=3,
    )


def test_a_long_text_is_run_by_itself() -> None:
    long = list(range(KEPT_TOKENS_PER_TEXT + 1))

    assert _padded_little([[1], long, [2, 3]]) == [[[1], [2, 3]], [long]]


def _descent() -> Descent:
    return Descent([_direction(0), _direction(1)], 4, Search(momentum=0.0))


def _pull(descent: Descent, by: float) -> list[torch.Tensor]:
    """Gradients that are the same everywhere."""
    return [torch.full_like(b, by) for b in descent.B]


def _moved(descent: Descent) -> torch.Tensor:
    return torch.cat([b.detach().flatten() for b in descent.B])


def _direction(layer: int) -> Direction:
    return Direction(layer, [0, 1], torch.ones(1, 2), length=2.0, clearness=1.0)
