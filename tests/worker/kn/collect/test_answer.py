"""The answer's probability and its gradient, against autograd over all logits at once."""

import pytest
import torch
from torch import nn

from contract.memory import HEAD_CHUNK_WORDS
from worker.kn.collect.answer import answer_gradient

ROWS = 5


def head_of(n_vocab: int, *, bias: bool = False, dtype: torch.dtype = torch.float64) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(16, n_vocab, bias=bias, dtype=dtype).requires_grad_(False)


def by_autograd(head: nn.Linear, rows: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    rows = rows.clone().requires_grad_()
    p = head(rows).softmax(-1).gather(-1, answers[..., None])
    return torch.autograd.grad(p.sum(), rows)[0]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("n_vocab", [2, 7, HEAD_CHUNK_WORDS, HEAD_CHUNK_WORDS + 1, 5000])
def test_is_autograds(n_vocab: int, bias: bool) -> None:
    head, rows = head_of(n_vocab, bias=bias), torch.randn(2, ROWS, 16, dtype=torch.float64) * 3
    answers = torch.randint(n_vocab, (2, ROWS))
    answers[0, 0], answers[1, -1] = 0, n_vocab - 1
    found = answer_gradient(head, rows, answers)
    expected = by_autograd(head, rows, answers)
    torch.testing.assert_close(found.direction * found.factor[..., None], expected)
    p = head(rows).softmax(-1).gather(-1, answers[..., None])[..., 0]
    torch.testing.assert_close(found.p, p)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("lead", [30.0, -30.0], ids=["all but certain", "all but impossible"])
def test_extreme_probabilities_keep_their_gradient(dtype: torch.dtype, lead: float) -> None:
    head = head_of(3000, dtype=torch.float64)
    head.weight.mul_(0.1)
    head.weight[2500, 0] = lead / 4
    rows = torch.zeros(1, 1, 16, dtype=torch.float64)
    rows[..., 0] = 4.0
    answers = torch.tensor([[2500]])
    expected = by_autograd(head, rows, answers)
    low = answer_gradient(head.to(dtype), rows.to(dtype), answers)
    found = low.direction.double() * low.factor.double()[..., None]
    error = (found - expected).norm() / expected.norm()
    assert expected.norm() > 0
    assert error < 40 * torch.finfo(dtype).eps


def test_a_logit_of_a_later_part_may_be_the_largest() -> None:
    head = head_of(3 * HEAD_CHUNK_WORDS)
    head.weight[2 * HEAD_CHUNK_WORDS + 5] *= 200
    rows = torch.randn(1, ROWS, 16, dtype=torch.float64)
    answers = torch.randint(3 * HEAD_CHUNK_WORDS, (1, ROWS))
    found = answer_gradient(head, rows, answers)
    torch.testing.assert_close(
        found.direction * found.factor[..., None], by_autograd(head, rows, answers)
    )
