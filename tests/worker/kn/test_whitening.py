"""A is one on the fact's keys, and small on what else is said."""

import torch

from worker.kn.methods.whitening import _direction

KEY = torch.tensor([[1.0, 1.0, 0.0]])
ROWS = torch.tensor([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]])


def test_the_fact_feels_the_write_in_full() -> None:
    direction = _direction(0, [4, 5, 6], KEY, ROWS, None, length=1.0)

    assert direction.felt(KEY).item() == torch.tensor(1 / 1.01).item()  # 1 % of ridge


def test_a_write_leans_on_the_unit_that_other_text_leaves_alone() -> None:
    first, second, third = _direction(0, [4, 5, 6], KEY, ROWS, None, length=1.0).A[0].tolist()

    assert first > 10 * abs(second)
    assert third == 0


def test_two_answer_tokens_feel_each_a_direction_of_its_own() -> None:
    keys = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

    A = _direction(0, [4, 5, 6], keys, ROWS, None, length=1.0).A

    assert A.shape == (2, 3)
    assert torch.allclose(keys @ A.T, torch.eye(2) / 1.01, atol=1e-6)


def test_a_protected_prompt_feels_next_to_nothing() -> None:
    protected = torch.tensor([[1.0, 0.0, 0.0]])  # shares the unit that would have been used

    free = _direction(0, [4, 5, 6], KEY, ROWS, None, length=1.0)
    bound = _direction(0, [4, 5, 6], KEY, ROWS, protected, length=1.0)

    assert free.felt(protected).item() > 0.8
    assert bound.felt(protected).item() < 0.3
