"""A prompt with its subject as it is spelled elsewhere in a text.

A tokenizer to which a space belongs to the word after it has other tokens for a word at a text's
beginning than for the same further on. What is fitted to one of the two carries over less to
phrasings with the other, so a write is fitted to the mean of both, where the model knows that they
mean the same.
"""

from collections.abc import Sequence
from itertools import permutations

import torch

from contract.memory import RESPELLED_TOKENS
from worker.kn.resident import Resident
from worker.kn.statement import Encoder, Statement


def spelled(resident: Resident, statement: Statement, name: str) -> list[Statement]:
    """The statement and, where its prompt has the name, the same with the name spelled the other
    way, if then the model goes on with the same token."""
    prompt = statement.ids[: statement.positions[0] + 1]
    other = respelled(resident.encoder, prompt, name)
    if other is None:
        return [statement]
    found = Statement.of(other, statement.answers)
    known = resident.encoder.has_room(found) and _next(resident, other) == _next(resident, prompt)
    return [statement, found] if known else [statement]


def respelled(encoder: Encoder, prompt: Sequence[int], name: str) -> list[int] | None:
    """A prompt's ids with the name spelled the other way; None where it has no such name, or grows
    by more than memory counts."""
    spellings = encoder.spellings(name)
    for mine, other in permutations(spellings) if spellings else ():
        at = _place(prompt, mine)
        if at is not None and len(other) <= len(mine) + RESPELLED_TOKENS:
            return [*prompt[:at], *other, *prompt[at + len(mine) :]]
    return None


def _place(ids: Sequence[int], part: Sequence[int]) -> int | None:
    """Where a part begins in ids."""
    starts = range(len(ids) - len(part) + 1)
    return next((at for at in starts if list(ids[at : at + len(part)]) == part), None)


@torch.no_grad()
def _next(resident: Resident, prompt: Sequence[int]) -> int:
    """The token that the model says next."""
    ids = torch.tensor([list(prompt)], device=resident.device)
    hidden = resident.decoder(input_ids=ids, use_cache=False).last_hidden_state
    return int(resident.head(hidden[:, -1]).argmax())
