"""The probability of each row's answer and its gradient, without ever materialising the logits of
the whole vocabulary."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from contract.memory import HEAD_CHUNK_WORDS
from worker.kn.model.products import product

ANY = sys.maxsize  # the head's chunks have one size, except for the last


@dataclass(frozen=True, slots=True)
class AnswerGradient:
    """P(answer) of every row, and ∂P/∂row as two factors of which neither underflows in any dtype.

    The backward pass starts from `direction`, which has unit size; `factor` scales the result to
    ∂P/∂row and stays in float32. Rows do not mix, so each may have its own factor.
    """

    p: Tensor  # of the answers' shape, at least float32
    factor: Tensor  # P · (1 − P), likewise
    direction: Tensor  # of the rows' shape and dtype: ∂log P/∂row / (1 − P)


@torch.no_grad()
def answer_gradient(head: nn.Linear, rows: Tensor, answers: Tensor) -> AnswerGradient:
    """The gradient for `rows` (S, R, d_model), the head's input, and answer ids (S, R).

    With p the answer's probability and q the softmax over all other tokens,
    ∂log P/∂row = (1 − p) · (W_answer − Σ q_w W_w), both factors exact however near p is to 0 or 1.
    The sum is a mean of W's rows weighted by a softmax, so it is computed online as in
    FlashAttention: one chunk of the vocabulary at a time, rescaling the sum so far by its logsumexp
    (Dao et al., NeurIPS 2022).
    """
    flat = rows.flatten(0, 1).to(head.weight.device)
    target = answers.flatten().to(flat.device)[:, None]
    own, others, mean = _answer_and_others(head, flat, target)
    odds = own - others  # log p − log(1 − p)
    p, rest = odds.sigmoid(), odds.neg().sigmoid()
    direction = (head.weight[target[:, 0]] - mean).to(rows.dtype)
    return AnswerGradient(
        p.view(answers.shape).to(rows.device),
        (p * rest).view(answers.shape).to(rows.device),
        direction.view_as(rows).to(rows.device),
    )


def _answer_and_others(
    head: nn.Linear, rows: Tensor, target: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The answer's logit and logsumexp of the others, (R, 1) each, and Σ q_w W_w (R, d_model)."""
    wide = torch.promote_types(rows.dtype, torch.float32)
    own = rows.new_zeros(len(rows), 1, dtype=wide)
    others = own.new_full(own.shape, torch.finfo(wide).min)
    mean = rows.new_zeros(rows.shape, dtype=wide)
    for first, weight, bias in _chunks(head):
        logits = product(rows, weight, bias, most_rows=ANY).to(wide)
        own = _take_out(logits, target - first, own)
        probs = logits.softmax(1)
        these = logits.amax(1, keepdim=True) - probs.amax(1, keepdim=True).log()
        before, others = others, torch.logaddexp(others, these)
        mean.mul_((before - others).exp_())
        mean.add_(_averaged(probs, weight) * (these - others).exp_())
    return own, others, mean


def _averaged(probs: Tensor, weight: Tensor) -> Tensor:
    """The tokens' rows weighted by their probabilities (R, tokens): (R, d_model)."""
    return product(probs.to(weight.dtype), weight.t(), most_rows=ANY)


def _chunks(head: nn.Linear) -> Iterator[tuple[int, Tensor, Tensor | None]]:
    """The head by chunks of the vocabulary: the first token's id, weights and bias."""
    for first in range(0, len(head.weight), HEAD_CHUNK_WORDS):
        words = slice(first, first + HEAD_CHUNK_WORDS)
        yield first, head.weight[words], None if head.bias is None else head.bias[words]


def _take_out(logits: Tensor, place: Tensor, own: Tensor) -> Tensor:
    """`own`, or the logit at `place` (R, 1) where this chunk has it; that logit is masked."""
    here = (place >= 0) & (place < logits.shape[1])
    place = place.clamp(0, logits.shape[1] - 1)
    there = logits.gather(1, place)
    logits.scatter_(1, place, torch.where(here, torch.finfo(logits.dtype).min, there))
    return torch.where(here, there, own)
