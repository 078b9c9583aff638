"""How an edit is scored: by free generation, and by the field's teacher-forced accuracies."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from worker.kn.evaluate.questions import Question, Role
from worker.kn.evaluate.replies import Reply


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
