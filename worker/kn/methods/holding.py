"""What a write is to leave alone: texts of which the model must go on saying what it says."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from contract.memory import HELD_SAYINGS, HELD_TEXTS, HELD_TOKENS_PER_TEXT, Held
from worker.kn.methods.descent import LOSS_SCALE
from worker.kn.methods.recipe import Task
from worker.kn.methods.trial import written
from worker.kn.methods.whitening import Direction, Fold, Whitened
from worker.kn.model.resident import Resident


class Holding(NamedTuple):
    """Texts that are held, and the directions along which they feel the write."""

    texts: list[Sequence[int]]
    directions: Sequence[Direction]
    exposure: float  # they are held as if they felt it so many times over

    @classmethod
    def of(cls, task: Task, fold: Fold, *, exposure: float) -> "Holding":
        """The texts of a fold that feel the write most, whole and as far as there, followed by what
        the new answer begins with: other facts that begin so have to go on as before."""
        begins = task.new[0].answers[:-1]
        strongest = fold.felt[:HELD_TEXTS]
        whole = [task.references[text] for text, _ in strongest]
        crossed = [[*task.references[text][: at + 1], *begins] for text, at in strongest]
        short = [text for text in crossed if begins and len(text) <= HELD_TOKENS_PER_TEXT]
        texts = [*(text[:HELD_TOKENS_PER_TEXT] for text in whole), *short]
        return cls(texts, fold.directions, exposure)


@dataclass(frozen=True, slots=True)
class HeldTexts:
    """Texts of which the model must go on saying what it says: at every look the protected ones,
    and what earlier edits say that feels the write most; of the references a part in turn."""

    always: Holding
    references: list[Holding]

    @classmethod
    def of(cls, task: Task, found: Whitened, *, exposure: float) -> "HeldTexts":
        prompts = map(task.resident.encoder.prompt_ids, task.request.protect_prompts)
        strongest = (task.said[text - len(task.references)] for text, _ in found.said)
        said = [text[:HELD_TOKENS_PER_TEXT] for text in islice(strongest, HELD_SAYINGS)]
        return cls(
            always=Holding([*prompts, *said], found.directions, exposure=1.0),
            references=[Holding.of(task, fold, exposure=exposure) for fold in found.folds],
        )

    @property
    def held(self) -> list[Held]:
        """What is held together at any look, as memory counts it."""
        holdings = (self.always, *self.references)
        groups = [group for holding in holdings for group in _padded_little(holding.texts)]
        return [Held(len(g), max(map(len, g)), sum(map(len, g))) for g in groups]

    def at(self, look: int) -> list[Holding]:
        return [self.always, self.references[look % len(self.references)]]


def hold(
    resident: Resident, holdings: Sequence[Holding], B: Sequence[Tensor], *, temperature: float
) -> None:
    """Add the gradient of T² KL(unedited ‖ edited), logits divided by T, the mean over positions.

    At a temperature of 1 a text that is about to be lost, and still says the same, weighs nothing.
    """
    positions = sum(len(text) for holding in holdings for text in holding.texts)
    for holding in holdings:
        for group in _padded_little(holding.texts):
            trial = written(resident, holding.directions, B, times=holding.exposure)
            _hold_group(resident, group, trial, temperature, weight=1 / positions)


def _padded_little(texts: Sequence[Sequence[int]]) -> list[list[Sequence[int]]]:
    """Short texts together; a long one, to which all would be padded, by itself."""
    short = [text for text in texts if len(text) <= HELD_TOKENS_PER_TEXT]
    return [*([short] if short else []), *([t] for t in texts if len(t) > HELD_TOKENS_PER_TEXT)]


def _hold_group(
    resident: Resident,
    texts: Sequence[Sequence[int]],
    trial: AbstractContextManager[None],
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
    with torch.enable_grad(), trial:
        moved = torch.nn.functional.kl_div(log_shares(), before, reduction="sum", log_target=True)
        (LOSS_SCALE * weight * temperature**2 * moved).backward()
