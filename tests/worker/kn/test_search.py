"""The pure parts of the search for a write's strength."""

import pytest
import torch

from contract.memory import KEPT_TEXTS, KEPT_TOKENS_PER_TEXT
from worker.kn.methods.search import Descent, Kept, Search, _leads, _padded_little
from worker.kn.methods.whitening import Direction


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


def test_a_long_text_is_run_by_itself() -> None:
    long = list(range(KEPT_TOKENS_PER_TEXT + 1))

    assert _padded_little([[1], long, [2, 3]]) == [[[1], [2, 3]], [long]]


def _direction(layer: int) -> Direction:
    return Direction(layer, [0, 1], torch.ones(1, 2), length=2.0, clearness=1.0)
