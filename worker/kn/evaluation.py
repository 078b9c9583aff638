"""How an edit is scored: free generation, and the field's teacher-forced accuracies beside it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import torch

from contract.memory import FEWEST_NEW_TOKENS, STATEMENTS_PER_BATCH
from worker.kn.generation import continuations, text_of
from worker.kn.request import EditRequest
from worker.kn.resident import Resident
from worker.kn.statement import Batch, Statement, alike
from worker.kn.wording import begins_with, goes_on


class Role(StrEnum):
    """Why a prompt is asked."""

    PROMPT = "prompt"
    REFINE = "refine"
    PROTECT = "protect"
    REPHRASE = "rephrase"
    LOCALITY = "locality"
    PORTABILITY = "portability"


EDITED = frozenset({Role.PROMPT, Role.REFINE})
"""The roles of the prompts that are edited."""


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt and the answer that counts; None: whatever the unedited model says.

    An answer of the model's own keeps its ids: tokenised again, its text may give others.
    """

    role: Role
    prompt: str
    expected: str | None
    own_ids: tuple[int, ...] = ()

    def statement(self, resident: Resident) -> Statement:
        """The prompt followed by the answer, which there has to be."""
        assert self.expected
        encoder = resident.encoder
        if self.own_ids:
            return Statement.of(encoder.prompt_ids(self.prompt), self.own_ids)
        return encoder.statement(self.prompt, self.expected)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model generates, and its best guess at each token of the expected answer."""

    text: str
    ids: tuple[int, ...]
    guessed: tuple[int, ...]
    wanted: tuple[int, ...]
    spelled: bool = False
    """Whether the generated ids begin with the wanted ones, and a word ends there."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Means over the questions of a role; None where there are none.

    `_acc` is EasyEdit's: teacher-forced token accuracy, and for locality the share of tokens that
    stayed. `_exact` is free generation: the text begins with the answer, or stayed.
    """

    rewrite_acc: float | None
    rephrase_acc: float | None
    locality_acc: float | None
    portability_acc: float | None
    rewrite_exact: float | None
    rephrase_exact: float | None
    locality_exact: float | None
    portability_exact: float | None


def questions_of(request: EditRequest) -> list[Question]:
    """Everything that a request wants asked, its own prompt first."""
    target = request.target_new
    asked = [Question(Role.PROMPT, request.prompt, target)]
    asked += [Question(Role.REFINE, p, target) for p in request.steering_prompts[1:]]
    asked += [Question(Role.PROTECT, p, None) for p in request.protect_prompts]
    asked += [Question(Role.REPHRASE, p, target) for p in request.rephrase_prompts]
    asked += [Question(Role.LOCALITY, p.prompt, p.ground_truth) for p in request.locality]
    asked += [Question(Role.PORTABILITY, p.prompt, p.ground_truth) for p in request.portability]
    return asked


def new_tokens_for(resident: Resident, questions: Sequence[Question]) -> int:
    """Enough tokens to see every expected answer whole, and what follows it."""
    encoder = resident.encoder
    lengths = [len(encoder.answer_ids(q.prompt, q.expected)) for q in questions if q.expected]
    return max([FEWEST_NEW_TOKENS, *(length + 2 for length in lengths)])


def ask_first(
    resident: Resident, questions: Sequence[Question], *, new_tokens: int
) -> tuple[list[Question], list[Reply]]:
    """The unedited model's replies, and the questions with its own answers where none was given."""
    generated = continuations(resident, [q.prompt for q in questions], new_tokens=new_tokens)
    settled = [
        question if question.expected else _own(resident, question, ids)
        for question, ids in zip(questions, generated, strict=True)
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
    generated = continuations(resident, [q.prompt for q in questions], new_tokens=new_tokens)
    return _replies(resident, questions, generated)


def _replies(
    resident: Resident, questions: Sequence[Question], generated: Sequence[list[int]]
) -> list[Reply]:
    return [
        Reply(text_of(resident, ids), tuple(ids), guessed, wanted, _spelled(resident, ids, wanted))
        for ids, (guessed, wanted) in zip(generated, _guesses(resident, questions), strict=True)
    ]


def _spelled(resident: Resident, ids: list[int], wanted: tuple[int, ...]) -> bool:
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


def metrics_of(
    questions: Sequence[Question], before: Sequence[Reply], after: Sequence[Reply]
) -> Metrics:
    """The scores, from the replies of the unedited and of the edited model."""
    asked = list(zip(questions, before, after, strict=True))

    def mean(role: Role, score: Callable[[Question, Reply, Reply], float | None]) -> float | None:
        return _mean(score(q, b, a) for q, b, a in asked if q.role is role)

    return Metrics(
        rewrite_acc=mean(Role.PROMPT, lambda q, b, a: a.accuracy),
        rephrase_acc=mean(Role.REPHRASE, lambda q, b, a: a.accuracy),
        locality_acc=mean(Role.LOCALITY, lambda q, b, a: a.agreement(b)),
        portability_acc=mean(Role.PORTABILITY, lambda q, b, a: a.accuracy),
        rewrite_exact=mean(Role.PROMPT, _said),
        rephrase_exact=mean(Role.REPHRASE, _said),
        locality_exact=mean(Role.LOCALITY, lambda q, b, a: float(a.text == b.text)),
        portability_exact=mean(Role.PORTABILITY, _said),
    )


def _said(question: Question, _: Reply, after: Reply) -> float | None:
    return float(after.says(question.expected)) if question.expected else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
