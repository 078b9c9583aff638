"""What a write must leave alone: texts of which the model's predictions must not change."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from contract.memory import (
    PRESERVED_SAYINGS,
    PRESERVED_TEXTS,
    PRESERVED_TOKENS_PER_TEXT,
    PreservedBatch,
)
from worker.kn.methods.descent import LOSS_SCALE
from worker.kn.methods.recipe import Task
from worker.kn.methods.trial import written
from worker.kn.methods.whitening import Direction, Fold, Whitened
from worker.kn.model.resident import Resident


class Preserved(NamedTuple):
    """Texts to preserve, and the directions along which they respond to the write."""

    texts: list[Sequence[int]]
    directions: Sequence[Direction]
    exposure: float  # the factor by which their response is scaled up

    @classmethod
    def of(cls, task: Task, fold: Fold, *, exposure: float) -> "Preserved":
        """The texts of a fold that respond most, whole, and cut after the strongest position and
        followed by the new answer's first tokens: other facts that begin so must go on as before.
        """
        begins = task.new[0].answers[:-1]
        strongest = fold.strongest[:PRESERVED_TEXTS]
        whole = [task.references[text] for text, _ in strongest]
        crossed = [[*task.references[text][: at + 1], *begins] for text, at in strongest]
        short = [text for text in crossed if begins and len(text) <= PRESERVED_TOKENS_PER_TEXT]
        texts = [*(text[:PRESERVED_TOKENS_PER_TEXT] for text in whole), *short]
        return cls(texts, fold.directions, exposure)


@dataclass(frozen=True, slots=True)
class PreservedTexts:
    """All texts to preserve: at every look the protected prompts and those of earlier edits' texts
    that respond most to the write; of the references one part per look, in turn."""

    always: Preserved
    references: list[Preserved]

    @classmethod
    def of(cls, task: Task, found: Whitened, *, exposure: float) -> "PreservedTexts":
        prompts = map(task.resident.encoder.prompt_ids, task.request.protect_prompts)
        strongest = (task.said[text - len(task.references)] for text, _ in found.sayings)
        said = [text[:PRESERVED_TOKENS_PER_TEXT] for text in islice(strongest, PRESERVED_SAYINGS)]
        return cls(
            always=Preserved([*prompts, *said], found.directions, exposure=1.0),
            references=[Preserved.of(task, fold, exposure=exposure) for fold in found.folds],
        )

    @property
    def batches(self) -> list[PreservedBatch]:
        """The texts run together at any look, as the memory formula counts them."""
        every = (self.always, *self.references)
        groups = [group for preserved in every for group in _padded_little(preserved.texts)]
        return [PreservedBatch(len(g), max(map(len, g)), sum(map(len, g))) for g in groups]

    def at(self, look: int) -> list[Preserved]:
        return [self.always, self.references[look % len(self.references)]]


def preservation_backward(
    resident: Resident, preserved: Sequence[Preserved], B: Sequence[Tensor], *, temperature: float
) -> None:
    """Add the gradient of T² KL(unedited ‖ edited), logits divided by T, the mean over positions.

    At T = 1, a text whose top token is about to change but has not yet adds almost nothing.
    """
    positions = sum(len(text) for each in preserved for text in each.texts)
    for each in preserved:
        for group in _padded_little(each.texts):
            trial = written(resident, each.directions, B, times=each.exposure)
            _group_backward(resident, group, trial, temperature, weight=1 / positions)


def _padded_little(texts: Sequence[Sequence[int]]) -> list[list[Sequence[int]]]:
    """Short texts in one group; each long one, to which all would be padded, in its own."""
    short = [text for text in texts if len(text) <= PRESERVED_TOKENS_PER_TEXT]
    long = [[text] for text in texts if len(text) > PRESERVED_TOKENS_PER_TEXT]
    return [*([short] if short else []), *long]


def _group_backward(
    resident: Resident,
    texts: Sequence[Sequence[int]],
    trial: AbstractContextManager[None],
    temperature: float,
    *,
    weight: float,
) -> None:
    """Add `weight` times the gradient for one group, summed over its positions."""
    longest = max(map(len, texts))
    ids = torch.tensor([[*t, *[0] * (longest - len(t))] for t in texts], device=resident.device)
    real = torch.tensor([i * longest + n for i, t in enumerate(texts) for n in range(len(t))])

    def log_probs() -> Tensor:
        hidden = resident.decoder(input_ids=ids, use_cache=False).last_hidden_state
        at_texts = hidden.flatten(0, 1).index_select(0, real.to(hidden.device))
        logits: Tensor = resident.head(at_texts).float()
        return logits.div_(temperature).log_softmax(-1)  # (positions, n_vocab)

    with torch.no_grad():
        before = log_probs()
    with torch.enable_grad(), trial:
        moved = torch.nn.functional.kl_div(log_probs(), before, reduction="sum", log_target=True)
        (LOSS_SCALE * weight * temperature**2 * moved).backward()
