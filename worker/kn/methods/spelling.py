"""A prompt with its subject in the tokenizer's other spelling.

A tokenizer that attaches a space to the word after it has different tokens for a word at the start
of a text and for the same word further on. A write fitted to one of them carries over less to
phrasings with the other, so it is fitted to the mean of both, if the model treats them alike.
"""

from collections.abc import Sequence

from contract.memory import RESPELLED_TOKENS
from worker.kn.model.encoder import Encoder
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Statement
from worker.kn.model.wording import goes_on, is_parted


def spelled(resident: Resident, statement: Statement, name: str) -> list[Statement]:
    """The statement and, if its prompt contains the name, the same with the name in the other
    spelling, provided that the model's next token is the same."""
    prompt = statement.prompt
    other = respelled(resident.encoder, prompt, name)
    if other is None:
        return [statement]
    found = Statement.of(other, statement.answers)
    known = resident.encoder.has_room(found) and _next(resident, other) == _next(resident, prompt)
    return [statement, found] if known else [statement]


def respelled(encoder: Encoder, prompt: Sequence[int], name: str) -> list[int] | None:
    """The prompt's ids with the name respelled: as after a space if it begins the prompt, else as
    at a text's start where it first follows a space. None if it does neither, its script has no
    spaces, or the prompt would grow by more than `RESPELLED_TOKENS`."""
    text = encoder.text(prompt)
    if not name or name not in text or not is_parted(name):
        return None
    spellings = encoder.spellings(name)
    if spellings is None:
        return None
    first, spaced = spellings
    start = len(encoder.prompt_ids(""))
    if _has_name(encoder, prompt, first, name, at=start):
        return _replaced(prompt, first, spaced, at=start)
    for at in range(start, len(prompt)):
        if _has_name(encoder, prompt, spaced, name, at=at):
            return _replaced(prompt, spaced, first, at=at)
    return None


def _has_name(
    encoder: Encoder, prompt: Sequence[int], ids: Sequence[int], name: str, *, at: int
) -> bool:
    """Whether the name's ids are at `at` and end at the end of a word."""
    end = at + len(ids)
    return list(prompt[at:end]) == ids and not goes_on(name, encoder.tokenizer.decode(prompt[end:]))


def _replaced(
    prompt: Sequence[int], ids: Sequence[int], others: Sequence[int], *, at: int
) -> list[int] | None:
    if len(others) > len(ids) + RESPELLED_TOKENS:
        return None
    return [*prompt[:at], *others, *prompt[at + len(ids) :]]


def _next(resident: Resident, prompt: Sequence[int]) -> int:
    """The token that the model says next."""
    return int(resident.next_logits(prompt).argmax())
