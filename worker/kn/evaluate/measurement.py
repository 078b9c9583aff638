"""A request's questions before and after the edit, in the same batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from worker.kn.evaluate.metrics import Metrics, metrics_of
from worker.kn.evaluate.questions import Question, new_tokens_for, questions_of
from worker.kn.evaluate.replies import Reply, ask, ask_first
from worker.kn.model.resident import Resident
from worker.kn.request import EditRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The questions and the replies of the unedited model."""

    questions: tuple[Question, ...]
    new_tokens: int
    before: tuple[Reply, ...]

    @classmethod
    def of(cls, resident: Resident, request: EditRequest) -> Self:
        """Ask the model as it is now."""
        wanted = questions_of(request)
        new_tokens = new_tokens_for(resident, wanted)
        questions, before = ask_first(resident, wanted, new_tokens=new_tokens)
        return cls(questions=tuple(questions), new_tokens=new_tokens, before=tuple(before))

    def again(self, resident: Resident) -> "Measurement":
        """Ask the model as it is now, edited."""
        after = tuple(ask(resident, self.questions, new_tokens=self.new_tokens))
        return Measurement(self, after)


@dataclass(frozen=True, slots=True)
class Measurement:
    """Replies before and after."""

    asked: Asked
    after: tuple[Reply, ...]

    @property
    def before(self) -> tuple[Reply, ...]:
        return self.asked.before

    @property
    def questions(self) -> tuple[Question, ...]:
        return self.asked.questions

    @property
    def metrics(self) -> Metrics:
        return metrics_of(self.questions, self.before, self.after)

    def answers(self) -> Sequence[dict[str, Any]]:
        """Each question with what was said, under the service's names."""
        asked = zip(self.questions, self.before, self.after, strict=True)
        return [
            {
                "role": question.role.value,
                "prompt": question.prompt,
                "expected": question.expected,
                "before": before.text,
                "after": after.text,
            }
            for question, before, after in asked
        ]
