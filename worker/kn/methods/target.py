"""The objective of a write: the new answer, each of its tokens leading by a margin."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from contract.memory import STATEMENTS_PER_PASS
from worker.kn.methods.descent import LOSS_SCALE
from worker.kn.methods.trial import written
from worker.kn.methods.whitening import Direction
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Batch, Statement, alike


class Standing(NamedTuple):
    """How the new answer's worst token stands, in nats; a NaN counts as −∞."""

    lead: float  # over the best other token
    gap: float  # margin minus lead

    @classmethod
    def of(cls, leads: Tensor, margins: Tensor) -> "Standing":
        leads = leads.nan_to_num(nan=-math.inf)
        return cls(leads.min().item(), (margins - leads).max().item())

    def worse(self, other: "Standing") -> "Standing":
        return Standing(min(self.lead, other.lead), max(self.gap, other.gap))


class Margin(NamedTuple):
    """By how many nats a token has to lead: each token of the new answer, and its ending."""

    answer: float
    ending: float


ENDLESS = Margin(math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Target:
    """What the model should say, batched by answer length, and by what margin."""

    batches: list[Batch]
    ended: bool  # whether the last token of each answer is its ending
    margin: Margin

    @classmethod
    def of(
        cls, resident: Resident, statements: Sequence[Statement], end: int | None, margin: Margin
    ) -> "Target":
        if end is not None:
            statements = [statement.followed_by(end) for statement in statements]
        groups = alike(statements, lambda s: len(s.answers), most=STATEMENTS_PER_PASS)
        batches = [Batch.of([statements[i] for i in group], resident.device) for group in groups]
        return cls(batches, ended=end is not None, margin=margin)

    def margins(self, leads: Tensor) -> Tensor:
        """By how much each token (S, J) has to lead."""
        margins = torch.full_like(leads, self.margin.answer)
        if self.ended:
            margins[:, -1] = self.margin.ending
        return margins


def target_backward(
    resident: Resident,
    target: Target,
    directions: Sequence[Direction],
    B: Sequence[Tensor],
) -> Standing:
    """Add the gradient of −log P over the tokens whose lead is below the margin; returns the
    standing over all tokens."""
    standing = Standing(math.inf, -math.inf)
    for batch in target.batches:
        with torch.enable_grad(), written(resident, directions, B):
            hidden = resident.decoder(input_ids=batch.ids, use_cache=False).last_hidden_state
            logits = resident.head(batch.at_answers(hidden)).float()  # (S, J, n_vocab)
            answers = batch.answers.to(logits.device)
            leads = _leads(logits.detach(), answers)
            margins = target.margins(leads)
            standing = standing.worse(Standing.of(leads, margins))
            late = ~(leads >= margins)  # also true of NaN
            if late.any():
                loss = torch.nn.functional.cross_entropy(logits[late], answers[late])
                (LOSS_SCALE * loss).backward()
    return standing


def _leads(logits: Tensor, answers: Tensor) -> Tensor:
    """The lead of each answer token over the best other token: (S, J)."""
    target = logits.gather(-1, answers[..., None])
    others = logits.scatter(-1, answers[..., None], float("-inf")).amax(-1, keepdim=True)
    return (target - others)[..., 0]
