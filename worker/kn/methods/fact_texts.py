"""Reference texts that state the fact itself: they are not preserved.

What a model says by itself may be the fact to be changed, in another phrasing, and what an earlier
edit made it say is the fact itself where that is to be changed again. Preserving such a text would
work against the edit. A text states the fact if it contains the old answer, given or the model's
own, and the word that names the prompt's subject (`worker.kn.methods.subject`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from worker.kn.methods.recipe import Task
from worker.kn.methods.subject import Subject
from worker.kn.model.resident import Resident

Texts = Sequence[Sequence[int]]


def excluding_fact(task: Task, subject: Callable[[], Subject]) -> Task:
    """The task without references and earlier edits' texts that state its fact.

    References stay if all of them state it. `subject` is called only if a text contains the old
    answer.
    """
    resident = task.resident
    given = (resident.encoder.text(statement.answers) for statement in task.old)
    answering = _containing([*task.references, *task.said], {task.own_text, *given}, resident)
    if not answering:
        return task
    stating = _containing(answering, [subject().word], resident)
    references = [text for text in task.references if text not in stating]
    said = [text for text in task.said if text not in stating]
    return replace(task, references=references or task.references, said=said)


def _containing(texts: Texts, words: Iterable[str], resident: Resident) -> Texts:
    """The texts that contain any of the words; blank words are ignored."""
    sought = [word.strip() for word in words if word.strip()]
    return [text for text in texts if any(word in resident.encoder.text(text) for word in sought)]
