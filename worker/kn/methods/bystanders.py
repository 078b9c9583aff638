"""Texts that tell of something else than the fact: only these are to be left alone.

What a model says of itself may be the fact that is to be changed, in another phrasing, and what an
earlier edit made it say is the fact itself where that is to be changed again. Held, such a text
would stand against the edit. It tells the fact where it says the old answer, and names what the
prompt is about (`worker.kn.methods.subject`); and where an earlier edit was asked the same prompt,
whatever it answers.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from worker.kn.methods.subject import Subject
from worker.kn.recipe import Task
from worker.kn.resident import Resident

Texts = Sequence[Sequence[int]]


def without_the_fact(task: Task, subject: Callable[[], Subject]) -> Task:
    """The task without those references, and without what earlier edits say, that tell its fact.
    Where all references do, they stay. `subject` is asked where a text says the old answer."""
    resident = task.resident
    asked = {statement.prompt for statement in task.old}
    task = replace(task, said=[saying for saying in task.said if saying.prompt not in asked])
    answers = {resident.encoder.text(statement.answers) for statement in task.old}
    texts = [*task.references, *(saying.ids for saying in task.said)]
    answering = _saying(texts, answers, resident)
    if not answering:
        return task
    telling = _saying(answering, [subject().word], resident)
    references = [text for text in task.references if text not in telling]
    said = [saying for saying in task.said if saying.ids not in telling]
    return replace(task, references=references or task.references, said=said)


def _saying(texts: Texts, words: Iterable[str], resident: Resident) -> Texts:
    """The texts that say any of the words, blank ones aside."""
    wanted = [word.strip() for word in words if word.strip()]
    return [text for text in texts if any(word in resident.encoder.text(text) for word in wanted)]
