"""Texts of which the model must go on saying what it says."""

import pytest
import torch
from tiny_tasks import tiny_task

from contract.memory import HELD_TOKENS_PER_TEXT
from worker.kn import Resident
from worker.kn.methods.holding import HeldTexts, Holding, _padded_little, hold
from worker.kn.methods.whitening import Direction, Felt, Fold, Whitened


def test_references_are_taken_in_turn_and_protected_ones_each_time() -> None:
    always, *parts = (Holding([[n]], [], 1.0) for n in range(3))
    kept = HeldTexts(always, parts)

    assert kept.at(0) == [always, parts[0]]
    assert kept.at(1) == [always, parts[1]]
    assert kept.at(2) == kept.at(0)


def test_a_part_is_held_as_it_is_and_as_if_it_began_to_give_the_new_answer(
    llama: Resident,
) -> None:
    task = tiny_task(llama, target="Rome Oslo")
    begins = task.new[0].answers[:-1]
    fold = Fold([], [Felt(0, 1), Felt(1, 0)])

    texts = Holding.of(task, fold, exposure=1.0).texts

    assert begins
    assert texts == [[1, 40, 50], [1, 60], [1, 40, *begins], [1, *begins]]


def test_references_are_held_as_if_they_felt_more_and_protected_prompts_as_they_do(
    llama: Resident,
) -> None:
    found = Whitened([], [Fold([], [Felt(0, 1)])], said=[], alike=None)

    kept = HeldTexts.of(tiny_task(llama), found, exposure=3.0)

    assert kept.always.exposure == 1.0
    assert [part.exposure for part in kept.references] == [3.0]


def test_an_answer_too_long_to_be_begun_in_a_kept_text_is_not_crossed(llama: Resident) -> None:
    task = tiny_task(llama, target="R" * HELD_TOKENS_PER_TEXT)

    assert Holding.of(task, Fold([], [Felt(0, 1)]), exposure=1.0).texts == [[1, 40, 50]]


def test_a_text_is_held_along_the_directions_of_its_own_holding(llama: Resident) -> None:
    assert _pull(llama, torch.ones(1, 2), exposure=1.0) > 0
    assert _pull(llama, torch.zeros(1, 2), exposure=1.0) == 0


def test_a_text_is_held_as_if_it_felt_more_of_the_write_than_it_does(llama: Resident) -> None:
    felt_more = _pull(llama, 2 * torch.ones(1, 2), exposure=1.0)

    assert _pull(llama, torch.ones(1, 2), exposure=2.0) == pytest.approx(felt_more)


def test_a_long_text_is_run_by_itself() -> None:
    long = list(range(HELD_TOKENS_PER_TEXT + 1))

    assert _padded_little([[1], long, [2, 3]]) == [[[1], [2, 3]], [long]]


def _pull(resident: Resident, A: torch.Tensor, *, exposure: float) -> float:
    """How strongly a text pulls that feels a write of ones along A."""
    B = torch.ones(resident.shape.d_model, 1, requires_grad=True)
    directions = [Direction(0, [0, 1], A, length=1.0, clearness=1.0)]
    with resident.frozen():
        hold(resident, [Holding([[1, 40, 50]], directions, exposure)], [B], temperature=2.0)
    assert B.grad is not None
    return B.grad.norm().item()
