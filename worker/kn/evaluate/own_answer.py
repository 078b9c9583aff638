"""The unedited model's own answer, and the token that ends it."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.kn.evaluate.replies import Reply
from worker.kn.model.generation import ends_of
from worker.kn.model.resident import Resident
from worker.kn.request import EditRequest

ENDS = frozenset(".,;:!?\n。，")


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """The model's own answer, cut to the new one's length, and the token that ends it uncut."""

    ids: tuple[int, ...]
    text: str  # blank where the model says nothing
    ending: int | None  # a mark, or the end of text; None where none is known to follow

    @classmethod
    def of(cls, resident: Resident, request: EditRequest, reply: Reply) -> "OwnAnswer":
        """From a free continuation of the request's prompt.

        An answer ends where the given `ground_truth` does, if that is what the model says, else
        before the first mark, or where the text ends. If it begins with a mark, its end is unknown.
        A new answer that ends by itself, in a mark or the end of text, is given no other ending.
        """
        n = _known_length(resident, request, reply.ids) or _unmarked_length(resident, reply.ids)
        if not resident.encoder.text(reply.ids[:n]):
            n = len(reply.ids)
        new = resident.encoder.answer_ids(request.prompt, request.target_new)
        ids = reply.ids[: min(n, max(len(new), _spoken_length(resident, reply.ids)))]
        ending = None if _ends_itself(resident, new) else _ending(resident, reply, n)
        return cls(ids, resident.encoder.text(ids), ending)


def _ending(resident: Resident, reply: Reply, n: int) -> int | None:
    """What follows the first n tokens, where that ends an answer."""
    if n == len(reply.ids):
        return reply.end if n else None
    return reply.ids[n] if _is_mark(resident, reply.ids[n]) else None


def _ends_itself(resident: Resident, answer: Sequence[int]) -> bool:
    return bool(answer) and (
        answer[-1] in ends_of(resident)
        or resident.tokenizer.decode([answer[-1]]).strip(" ") in ENDS
    )


def _spoken_length(resident: Resident, ids: Sequence[int]) -> int:
    """The fewest tokens that are not blank: the first may be a space alone, before a digit."""
    lengths = range(1, len(ids) + 1)
    return next((n for n in lengths if resident.encoder.text(ids[:n])), len(ids))


def _known_length(resident: Resident, request: EditRequest, ids: Sequence[int]) -> int | None:
    """The number of tokens of the ground truth, where the model says it."""
    if not request.ground_truth:
        return None
    truth = resident.encoder.answer_ids(request.prompt, request.ground_truth)
    return len(truth) if list(ids[: len(truth)]) == truth else None


def _unmarked_length(resident: Resident, ids: Sequence[int]) -> int:
    """The number of tokens before the first that begins with a mark."""
    marked = [i for i, token in enumerate(ids) if _is_mark(resident, token)]
    return marked[0] if marked else len(ids)


def _is_mark(resident: Resident, token: int) -> bool:
    return resident.tokenizer.decode([token]).lstrip(" ")[:1] in ENDS
