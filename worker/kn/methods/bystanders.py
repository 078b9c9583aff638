"""Texts that tell of something else than the fact: only these are to be left alone.

What a model says of itself may be the fact that is to be changed, in another phrasing, and what an
earlier edit made it say is the fact itself where that is to be changed again. Held, such a text
would stand against the edit. It tells the fact where it says the old answer, the one that is given
or the model's own, and names what the prompt is about (`worker.kn.methods.subject`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from worker.kn.methods.recipe import Task
from worker.kn.methods.subject import Subject
from worker.kn.model.resident import Resident

Texts = Sequence[Sequence[int]]


def without_the_fact(task: Task, subject: Callable[[], Subject]) -> Task:
    """The task without those references, and without what earlier edits say, that tell its fact.
    Where all references do, they stay. `subject` is asked where a text says the old answer."""
    resident = task.resident
    given = (resident.encoder.text(statement.answers) for statement in task.old)
    answering = _saying([*task.references, *task.said], {task.own_text, *given}, resident)
    if not answering:
        return task
    telling = _saying(answering, [subject().word], resident)
    references = [text for text in task.references if text not in telling]
    said = [text for text in task.said if text not in telling]
    return replace(task, references=references or task.references, said=said)


def _saying(texts: Texts, words: Iterable[str], resident: Resident) -> Texts:
    """The texts that say any of the words, blank ones aside."""
    wanted = [word.strip() for word in words if word.strip()]
    return [text for text in texts if any(word in resident.encoder.text(text) for word in wanted)]
