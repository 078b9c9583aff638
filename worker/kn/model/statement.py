"""Statements: prompts with the answers that follow them, as token ids."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Statement:
    """Ids to run, the positions that predict the answer, and the ids they should predict.

    Teacher forced: the last answer id is only predicted, never run.
    """

    ids: tuple[int, ...]
    positions: tuple[int, ...]
    answers: tuple[int, ...]

    @classmethod
    def of(cls, prompt_ids: Sequence[int], answer_ids: Sequence[int]) -> "Statement":
        first = len(prompt_ids) - 1
        return cls(
            ids=(*prompt_ids, *answer_ids[:-1]),
            positions=tuple(range(first, first + len(answer_ids))),
            answers=tuple(answer_ids),
        )

    @property
    def prompt(self) -> tuple[int, ...]:
        """The ids before the answer."""
        return self.ids[: self.positions[0] + 1]

    def followed_by(self, token: int) -> "Statement":
        """The same with one more token to predict."""
        return Statement(
            ids=(*self.ids, self.answers[-1]),
            positions=(*self.positions, len(self.ids)),
            answers=(*self.answers, token),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Statements with equally many answer ids, padded on the right.

    Attention is causal, so no position that matters attends to the padding.
    """

    ids: Tensor  # (S, N)
    positions: Tensor  # (S, J)
    answers: Tensor  # (S, J)
    ragged: bool  # whether some answer position is not the batch's last

    @classmethod
    def of(cls, statements: Sequence[Statement], device: torch.device) -> "Batch":
        longest = max(len(statement.ids) for statement in statements)
        padded = [(*s.ids, *[0] * (longest - len(s.ids))) for s in statements]
        return cls(
            ids=torch.tensor(padded, device=device),
            positions=torch.tensor([s.positions for s in statements], device=device),
            answers=torch.tensor([s.answers for s in statements], device=device),
            ragged=any(s.positions[0] < longest - 1 for s in statements),
        )

    def at_answers(self, values: Tensor) -> Tensor:
        """The values (S, N, …) at the answer positions: (S, J, …)."""
        rows = torch.arange(values.shape[0], device=values.device)[:, None]
        return values[rows, self.positions.to(values.device)]


T = TypeVar("T")


def alike(
    items: Sequence[T], key: Callable[[T], int], *, most: int | Callable[[int], int]
) -> Iterator[list[int]]:
    """Indexes of the items that share a key, at most `most` at a time, in order; that may depend on
    the key."""
    groups: dict[int, list[int]] = {}
    for i, item in enumerate(items):
        groups.setdefault(key(item), []).append(i)
    for shared, indexes in groups.items():
        at_once = most(shared) if callable(most) else most
        for start in range(0, len(indexes), at_once):
            yield indexes[start : start + at_once]
