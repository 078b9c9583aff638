"""How strong a write must be: B, by descent until the new answer leads, and no further.

All layers move together. With s_l the length of the residual stream at layer l times how clearly
the fact stands out there,

    m ← μ m + (1 − μ) · s g / ‖s g‖ ,   B_l ← B_l − η s_l m_l ,   g = w + min(κ, ρ ‖s w‖ / ‖s h‖) h

so that a step has the same length whatever the model's scale and dtype, and a layer moves as far
as it helps. w is the gradient of −log P of the new answer's tokens that do not lead by the margin
yet, and of the token that should end it as the old one ended, in every prompt. h is that of how
far what the model says of the texts that feel the write most, and of protected prompts, moves:
T² KL(unedited ‖ edited), logits divided by T. It pulls a little less than w at most, ρ < 1: it may
turn the way aside, and cannot turn it back. It is taken anew every other step, each time of another
part of the references.
The margin is a share of that by which the model was sure of what it said before: more would take
other facts along, less would not carry over to other phrasings. An answer that leads by the margin
from the start is held firmer by one step.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from contract.memory import (
    KEPT_SAYINGS,
    KEPT_TEXTS,
    KEPT_TOKENS_PER_TEXT,
    STATEMENTS_PER_PASS,
    Held,
)
from worker.kn.adapter import LayerWrite
from worker.kn.layout import Block
from worker.kn.methods.whitening import Direction, Fold, Whitened
from worker.kn.recipe import Task, Told
from worker.kn.resident import Resident
from worker.kn.statement import Batch, Statement, alike

TINY = torch.finfo(torch.float32).tiny
LOSS_SCALE = 64.0  # only a gradient's direction counts: in float16 a larger one loses less


class Standing(NamedTuple):
    """How the new answer stands at its worst token, in nats; what is no number is lost."""

    lead: float  # over the best other token
    shortfall: float  # what the lead lacks of the margin

    @classmethod
    def of(cls, leads: Tensor, margins: Tensor) -> "Standing":
        leads = leads.nan_to_num(nan=-math.inf)
        return cls(leads.min().item(), (margins - leads).max().item())

    def worse(self, other: "Standing") -> "Standing":
        return Standing(min(self.lead, other.lead), max(self.shortfall, other.shortfall))


class Margin(NamedTuple):
    """By how many nats a token has to lead: each of the new answer's, and its ending."""

    answer: float
    ending: float


ENDLESS = Margin(math.inf, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How far to go, and in what steps."""

    step: float = 0.05  # η, a share of the residual stream's length
    momentum: float = 0.8  # μ
    most_steps: int = 100
    sureness: float = 0.6  # the margin, as a share of the lead of what the model says unedited
    least_margin: float = 5.0
    most_margin: float = 10.0
    ending_margin: float = 5.5  # of the answer's ending, however sure the model was
    keeping: float = 1000.0  # κ, what a nat on kept texts weighs beside one of the new answer
    most_pull: float = 0.9  # ρ, how strongly they pull at most where the new answer pulls at 1
    temperature: float = 2.0  # T, at which they are compared
    look_every: int = 2  # steps in which they are looked at once
    recent: int = 10  # steps over which the pace is taken

    def margin(self, lead: float) -> Margin:
        """For a model that is sure of what it says by `lead` nats."""
        answer = min(max(self.sureness * lead, self.least_margin), self.most_margin)
        return Margin(answer, self.ending_margin)

    def ends(self, stood: Sequence[Standing]) -> bool:
        """Whether there is nothing more to go for, by how the answer stood before each step so far.

        That is where it leads by the margin; or where it leads, and the pace of the recent steps
        would not bring it to the margin in all that are left.
        """
        now = stood[-1]
        if now.shortfall <= 0:
            return True
        if now.lead <= 0 or len(stood) <= self.recent:
            return False
        gained = stood[-1 - self.recent].shortfall - now.shortfall
        left = self.most_steps - len(stood) + 1
        return gained / self.recent * left < now.shortfall


class Holding(NamedTuple):
    """Texts that are held, and the directions along which they feel the write."""

    texts: list[Sequence[int]]
    directions: Sequence[Direction]

    @classmethod
    def of(cls, task: Task, fold: Fold) -> "Holding":
        """The texts of a fold that feel the write most, whole and as far as there, followed by what
        the new answer begins with: other facts that begin so have to go on as before."""
        begins = task.new[0].answers[:-1]
        strongest = fold.felt[:KEPT_TEXTS]
        whole = [task.references[text] for text, _ in strongest]
        crossed = [[*task.references[text][: at + 1], *begins] for text, at in strongest]
        short = [text for text in crossed if begins and len(text) <= KEPT_TOKENS_PER_TEXT]
        return cls([*(text[:KEPT_TOKENS_PER_TEXT] for text in whole), *short], fold.directions)


@dataclass(frozen=True, slots=True)
class Kept:
    """Texts of which the model must go on saying what it says: at every look the protected ones,
    and of what kept edits say that which feels the write most; of the references a part in turn."""

    always: Holding
    references: list[Holding]

    @classmethod
    def of(cls, task: Task, found: Whitened) -> "Kept":
        prompts = map(task.resident.encoder.prompt_ids, task.request.protect_prompts)
        strongest = (task.said[text - len(task.references)] for text, _ in found.said)
        said = [text[:KEPT_TOKENS_PER_TEXT] for text in islice(strongest, KEPT_SAYINGS)]
        return cls(
            always=Holding([*prompts, *said], found.directions),
            references=[Holding.of(task, fold) for fold in found.folds],
        )

    @property
    def held(self) -> list[Held]:
        """What is held together at any look, as memory counts it."""
        holdings = (self.always, *self.references)
        groups = [group for holding in holdings for group in _padded_little(holding.texts)]
        return [Held(len(g), max(map(len, g)), sum(map(len, g))) for g in groups]

    def at(self, look: int) -> list[Holding]:
        return [self.always, self.references[look % len(self.references)]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be said, statements of equally long answers together, and how firmly."""

    batches: list[Batch]
    ended: bool  # whether the last token of each answer is its ending
    margin: Margin

    @classmethod
    def of(
        cls, resident: Resident, statements: Sequence[Statement], end: int | None, margin: Margin
    ) -> "Wanted":
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


class Descent:
    """B of every layer, and the way it goes down."""

    def __init__(self, directions: Sequence[Direction], d_model: int, search: Search) -> None:
        clearest = max(direction.clearness for direction in directions) or 1.0
        self.B = [d.A.new_zeros(d_model, len(d.A)).requires_grad_() for d in directions]
        self._scales = [d.length * d.clearness / clearest for d in directions]
        self._moving = [torch.zeros_like(b) for b in self.B]
        self._search = search

    def taken(self) -> list[Tensor]:
        """The gradients that B has, s g, which are taken from it."""
        gradients = [_gradient(b).mul_(s) for b, s in zip(self.B, self._scales, strict=True)]
        for b in self.B:
            b.grad = None
        return gradients

    @torch.no_grad()
    def step(self, wanted: Sequence[Tensor], held: Sequence[Tensor]) -> None:
        """Go one step along both; what is held is added to `wanted` itself."""
        most = self._search.most_pull * _length(wanted) / max(_length(held), TINY)
        for w, h in zip(wanted, held, strict=True):
            w.add_(h, alpha=min(self._search.keeping, most))
        length = max(_length(wanted), TINY)
        for b, g, m, s in zip(self.B, wanted, self._moving, self._scales, strict=True):
            m.lerp_(g / length, 1 - self._search.momentum)
            b.sub_(self._search.step * s * m)


def _length(tensors: Sequence[Tensor]) -> float:
    """Of all together as one vector."""
    length: float = torch.stack([tensor.norm().cpu() for tensor in tensors]).norm().item()
    return length


def _gradient(b: Tensor) -> Tensor:
    assert b.grad is not None
    return b.grad


def search_write(
    resident: Resident,
    wanted: Wanted,
    directions: Sequence[Direction],
    kept: Kept,
    search: Search,
    *,
    told: Told,
) -> list[LayerWrite]:
    """Descend until the new answer leads by the margin everywhere, or will not get there."""
    descent = Descent(directions, resident.shape.d_model, search)
    firmer = replace(wanted, margin=ENDLESS)
    stood: list[Standing] = []
    held = [torch.zeros_like(b) for b in descent.B]
    for step in range(search.most_steps):
        told(step, search.most_steps)
        stood.append(_persuade(resident, wanted, directions, descent.B))
        if search.ends(stood):
            if step > 0:
                break
            _persuade(resident, firmer, directions, descent.B)
        toward = descent.taken()
        if step > 0 and step % search.look_every == 0:  # at first nothing has moved yet
            held.clear()
            holdings = kept.at(step // search.look_every)
            _hold(resident, holdings, descent.B, temperature=search.temperature)
            held = descent.taken()
        descent.step(toward, held)
    told(search.most_steps, search.most_steps)
    return [
        LayerWrite(d.layer, tuple(d.units), A=d.A, B=b.detach())
        for d, b in zip(directions, descent.B, strict=True)
    ]


def _persuade(
    resident: Resident,
    wanted: Wanted,
    directions: Sequence[Direction],
    B: Sequence[Tensor],
) -> Standing:
    """Add the gradient of −log P over the tokens that do not lead enough; returns how all stand."""
    standing = Standing(math.inf, -math.inf)
    for batch in wanted.batches:
        with torch.enable_grad(), written(resident, directions, B):
            hidden = resident.decoder(input_ids=batch.ids, use_cache=False).last_hidden_state
            logits = resident.head(batch.at_answers(hidden)).float()  # (S, J, n_vocab)
            answers = batch.answers.to(logits.device)
            leads = _leads(logits.detach(), answers)
            margins = wanted.margins(leads)
            standing = standing.worse(Standing.of(leads, margins))
            late = ~(leads >= margins)  # what is no number is late too
            if late.any():
                loss = torch.nn.functional.cross_entropy(logits[late], answers[late])
                (LOSS_SCALE * loss).backward()
    return standing


def _hold(
    resident: Resident, holdings: Sequence[Holding], B: Sequence[Tensor], *, temperature: float
) -> None:
    """Add the gradient of T² KL(unedited ‖ edited), logits divided by T, the mean over positions.

    At a temperature of 1 a text that is about to be lost, and still says the same, weighs nothing.
    """
    positions = sum(len(text) for holding in holdings for text in holding.texts)
    for texts, directions in holdings:
        for group in _padded_little(texts):
            _hold_group(resident, group, directions, B, temperature, weight=1 / positions)


def _padded_little(texts: Sequence[Sequence[int]]) -> list[list[Sequence[int]]]:
    """Short texts together; a long one, to which all would be padded, by itself."""
    short = [text for text in texts if len(text) <= KEPT_TOKENS_PER_TEXT]
    return [*([short] if short else []), *([t] for t in texts if len(t) > KEPT_TOKENS_PER_TEXT)]


def _hold_group(
    resident: Resident,
    texts: Sequence[Sequence[int]],
    directions: Sequence[Direction],
    B: Sequence[Tensor],
    temperature: float,
    *,
    weight: float,
) -> None:
    """Add `weight` times the same for some texts, the sum over their positions."""
    longest = max(map(len, texts))
    ids = torch.tensor([[*t, *[0] * (longest - len(t))] for t in texts], device=resident.device)
    real = torch.tensor([i * longest + n for i, t in enumerate(texts) for n in range(len(t))])

    def log_shares() -> Tensor:
        hidden = resident.decoder(input_ids=ids, use_cache=False).last_hidden_state
        at_texts = hidden.flatten(0, 1).index_select(0, real.to(hidden.device))
        logits: Tensor = resident.head(at_texts).float()
        return logits.div_(temperature).log_softmax(-1)  # (positions, n_vocab)

    with torch.no_grad():
        before = log_shares()
    with torch.enable_grad(), written(resident, directions, B):
        moved = torch.nn.functional.kl_div(log_shares(), before, reduction="sum", log_target=True)
        (LOSS_SCALE * weight * temperature**2 * moved).backward()


def _leads(logits: Tensor, answers: Tensor) -> Tensor:
    """The lead of each wanted token over the best other one: (S, J)."""
    wanted = logits.gather(-1, answers[..., None])
    others = logits.scatter(-1, answers[..., None], float("-inf")).amax(-1, keepdim=True)
    return (wanted - others)[..., 0]


@contextmanager
def written(
    resident: Resident, directions: Sequence[Direction], B: Sequence[Tensor]
) -> Iterator[None]:
    """The model computes as if B·A were added to its columns; gradients reach B."""
    with ExitStack() as hooked:
        for direction, b in zip(directions, B, strict=True):
            hooked.enter_context(_adding(resident.blocks[direction.layer], direction, b))
        yield


@contextmanager
def _adding(block: Block, direction: Direction, b: Tensor) -> Iterator[None]:
    def add(_: object, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        felt = inputs[0][..., direction.units].to(b.dtype) @ direction.A.T  # (S, N, J)
        return output + (felt @ b.T).to(output.dtype)

    handle = block.down.register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()
