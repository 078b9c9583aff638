"""What an edit made the model say: edits made on top of it hold that."""

from collections.abc import Iterable
from typing import NamedTuple

from worker.kn.evaluation import Role
from worker.kn.resident import Resident
from worker.kn.result import EditResult


class Saying(NamedTuple):
    """A prompt that was edited, and what the model says after it, as ids."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        return (*self.prompt, *self.reply)


def said_by(resident: Resident, edits: Iterable[EditResult]) -> list[Saying]:
    """What edits of this model made it say to their prompts, as far as it has room."""
    return [
        _cut(resident, question.prompt, reply.ids)
        for edit in edits
        for question, reply in zip(edit.measurement.questions, edit.measurement.after, strict=True)
        if question.role in (Role.PROMPT, Role.REFINE)
    ]


def told(resident: Resident, texts: Iterable[tuple[str, str]]) -> list[Saying]:
    """The same from prompts and what is said after them; raises `BadRequestError` where the model
    has no such tokens."""
    encoder = resident.encoder
    return [
        _cut(resident, prompt, encoder.answer_ids(prompt, reply) if reply.strip() else ())
        for prompt, reply in texts
    ]


def _cut(resident: Resident, prompt: str, reply: Iterable[int]) -> Saying:
    prompt_ids = resident.encoder.prompt_ids(prompt)
    room = resident.encoder.most_tokens - len(prompt_ids)
    return Saying(tuple(prompt_ids), tuple(reply)[:room])
