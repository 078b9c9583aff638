"""The questions of a request, asked before and after the edit."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from contract.memory import FEWEST_NEW_TOKENS
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Statement
from worker.kn.request import EditRequest


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
    """A prompt and its expected answer; None: whatever the unedited model says.

    The model's own answer keeps its ids, since its text may tokenise differently.
    """

    role: Role
    prompt: str
    expected: str | None
    own_ids: tuple[int, ...] = ()

    def statement(self, resident: Resident) -> Statement:
        """The prompt followed by the expected answer, which must be known."""
        assert self.expected
        encoder = resident.encoder
        if self.own_ids:
            return Statement.of(encoder.prompt_ids(self.prompt), self.own_ids)
        return encoder.statement(self.prompt, self.expected)


def questions_of(request: EditRequest) -> list[Question]:
    """All questions of a request, its own prompt first."""
    target = request.target_new
    asked = [Question(Role.PROMPT, request.prompt, target)]
    asked += [Question(Role.REFINE, p, target) for p in request.steering_prompts[1:]]
    asked += [Question(Role.PROTECT, p, None) for p in request.protect_prompts]
    asked += [Question(Role.REPHRASE, p, target) for p in request.rephrase_prompts]
    asked += [Question(Role.LOCALITY, p.prompt, p.ground_truth) for p in request.locality]
    asked += [Question(Role.PORTABILITY, p.prompt, p.ground_truth) for p in request.portability]
    return asked


def new_tokens_for(resident: Resident, questions: Sequence[Question]) -> int:
    """Enough tokens for every expected answer and what follows it."""
    encoder = resident.encoder
    lengths = [len(encoder.answer_ids(q.prompt, q.expected)) for q in questions if q.expected]
    return max([FEWEST_NEW_TOKENS, *(length + 2 for length in lengths)])
