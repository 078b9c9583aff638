"""What the model says to questions: free generation, and its guesses, teacher forced."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from contract.memory import STATEMENTS_PER_BATCH
from worker.kn.evaluate.questions import Question
from worker.kn.model.generation import Continuation, continued, text_of
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Batch, alike
from worker.kn.model.wording import begins_with, goes_on


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model generates, and its best guess at each token of the expected answer."""

    text: str
    ids: tuple[int, ...]
    guessed: tuple[int, ...]
    wanted: tuple[int, ...]
    spelled: bool = False
    """Whether the generated ids begin with the wanted ones, and a word ends there."""
    end: int | None = None
    """The token with which the model ended its text; None where it was cut."""

    @property
    def accuracy(self) -> float | None:
        """The share of answer tokens guessed right; None without an answer."""
        if not self.wanted:
            return None
        right = sum(g == w for g, w in zip(self.guessed, self.wanted, strict=True))
        return right / len(self.wanted)

    def says(self, answer: str) -> bool:
        """Whether what is generated begins with the expected answer's ids, or with its words."""
        return self.spelled or begins_with(self.text, answer)

    def agreement(self, other: "Reply") -> float | None:
        """The share of guesses that are the same in both."""
        if not self.guessed:
            return None
        same = sum(a == b for a, b in zip(self.guessed, other.guessed, strict=True))
        return same / len(self.guessed)


def ask_first(
    resident: Resident, questions: Sequence[Question], *, new_tokens: int
) -> tuple[list[Question], list[Reply]]:
    """The unedited model's replies, and the questions with its own answers where none was given."""
    generated = continued(resident, [q.prompt for q in questions], new_tokens=new_tokens)
    settled = [
        question if question.expected else _own(resident, question, said.ids)
        for question, said in zip(questions, generated, strict=True)
    ]
    return settled, _replies(resident, settled, generated)


def _own(resident: Resident, question: Question, ids: list[int]) -> Question:
    """The question with the first line that the model itself says, if it says anything."""
    text = text_of(resident, ids)
    if not text:
        return question
    whole = next(n for n in range(len(ids) + 1) if text_of(resident, ids[:n]) == text)
    return replace(question, expected=text, own_ids=tuple(ids[:whole]))


def ask(resident: Resident, questions: Sequence[Question], *, new_tokens: int) -> list[Reply]:
    """The model's replies as it is now."""
    generated = continued(resident, [q.prompt for q in questions], new_tokens=new_tokens)
    return _replies(resident, questions, generated)


def _replies(
    resident: Resident, questions: Sequence[Question], generated: Sequence[Continuation]
) -> list[Reply]:
    return [
        Reply(
            text_of(resident, said.ids),
            tuple(said.ids),
            guessed,
            wanted,
            spelled=_spelled(resident, said, wanted),
            end=said.end,
        )
        for said, (guessed, wanted) in zip(generated, _guesses(resident, questions), strict=True)
    ]


def _spelled(resident: Resident, found: Continuation, wanted: tuple[int, ...]) -> bool:
    """An answer may write out the token that ends the text."""
    ids = found.ids if found.end is None else [*found.ids, found.end]
    if not wanted or tuple(ids[: len(wanted)]) != wanted:
        return False
    said, answer = resident.tokenizer.decode(ids), resident.tokenizer.decode(list(wanted))
    return said.startswith(answer) and not goes_on(answer, said[len(answer) :])


@torch.no_grad()
def _guesses(
    resident: Resident, questions: Sequence[Question]
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """For each question the argmax at every answer token, and the answer's ids."""
    found: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((), ())] * len(questions)
    answered = [i for i, question in enumerate(questions) if question.expected]
    statements = [questions[i].statement(resident) for i in answered]
    for indexes in alike(statements, lambda s: len(s.answers), most=STATEMENTS_PER_BATCH):
        batch = Batch.of([statements[i] for i in indexes], resident.device)
        hidden = resident.decoder(input_ids=batch.ids, use_cache=False).last_hidden_state
        guessed = resident.head(batch.at_answers(hidden)).argmax(-1).tolist()
        for i, guess in zip(indexes, guessed, strict=True):
            found[answered[i]] = (tuple(guess), statements[i].answers)
    return found
