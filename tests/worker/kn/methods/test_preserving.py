"""Texts of which the model must go on saying what it says."""

import pytest
import torch
from tiny_tasks import tiny_task

from contract.memory import PRESERVED_TOKENS_PER_TEXT
from worker.kn import Resident
from worker.kn.methods.preserving import (
    Preserved,
    PreservedTexts,
    _padded_little,
    preservation_backward,
)
from worker.kn.methods.whitening import Direction, Fold, Response, Whitened


def test_references_are_taken_in_turn_and_protected_ones_each_time() -> None:
    always, *parts = (Preserved([[n]], [], 1.0) for n in range(3))
    kept = PreservedTexts(always, parts)

    assert kept.at(0) == [always, parts[0]]
    assert kept.at(1) == [always, parts[1]]
    assert kept.at(2) == kept.at(0)


def test_a_part_is_preserved_as_it_is_and_as_if_it_began_to_give_the_new_answer(
    llama: Resident,
) -> None:
    task = tiny_task(llama, target="Rome Oslo")
    begins = task.new[0].answers[:-1]
    fold = Fold([], [Response(0, 1), Response(1, 0)])

    texts = Preserved.of(task, fold, exposure=1.0).texts

    assert begins
    assert texts == [[1, 40, 50], [1, 60], [1, 40, *begins], [1, *begins]]


def test_only_the_responses_of_references_are_scaled_up(
    llama: Resident,
) -> None:
    found = Whitened([], [Fold([], [Response(0, 1)])], sayings=[], similarity=None)

    kept = PreservedTexts.of(tiny_task(llama), found, exposure=3.0)

    assert kept.always.exposure == 1.0
    assert [part.exposure for part in kept.references] == [3.0]


def test_an_answer_too_long_to_be_begun_in_a_kept_text_is_not_crossed(llama: Resident) -> None:
    task = tiny_task(llama, target="R" * PRESERVED_TOKENS_PER_TEXT)

    assert Preserved.of(task, Fold([], [Response(0, 1)]), exposure=1.0).texts == [[1, 40, 50]]


def test_a_text_is_preserved_along_the_directions_of_its_own_fold(llama: Resident) -> None:
    assert _gradient(llama, torch.ones(1, 2), exposure=1.0) > 0
    assert _gradient(llama, torch.zeros(1, 2), exposure=1.0) == 0


def test_exposure_scales_up_the_response_of_a_text(llama: Resident) -> None:
    stronger = _gradient(llama, 2 * torch.ones(1, 2), exposure=1.0)

    assert _gradient(llama, torch.ones(1, 2), exposure=2.0) == pytest.approx(stronger)


def test_a_long_text_is_run_by_itself() -> None:
    long = list(range(PRESERVED_TOKENS_PER_TEXT + 1))

    assert _padded_little([[1], long, [2, 3]]) == [[[1], [2, 3]], [long]]


def _gradient(resident: Resident, A: torch.Tensor, *, exposure: float) -> float:
    """The length of the gradient of a text under a write of ones along A."""
    B = torch.ones(resident.shape.d_model, 1, requires_grad=True)
    directions = [Direction(0, [0, 1], A, length=1.0, mahalanobis=1.0)]
    with resident.frozen():
        preservation_backward(
            resident, [Preserved([[1, 40, 50]], directions, exposure)], [B], temperature=2.0
        )
    assert B.grad is not None
    return B.grad.norm().item()
