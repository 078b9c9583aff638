"""What earlier edits made the model say, which later edits on top of them preserve."""

from collections.abc import Iterable, Mapping

from contract.memory import as_run, followed
from worker.kn.evaluate.questions import EDITED
from worker.kn.model.resident import Resident
from worker.kn.request import EditRequest
from worker.kn.result import EditResult

Sayings = dict[str, list[int]]
"""By prompt, without blanks at its end: the ids of the prompt and of the latest reply together."""


def of_kept(resident: Resident, edits: Iterable[EditResult]) -> Sayings:
    """What edits in the weights made the model say to their prompts."""
    return {
        as_run(question.prompt): _cut(
            resident, [*resident.encoder.prompt_ids(question.prompt), *reply.ids]
        )
        for edit in edits
        for question, reply in zip(edit.measurement.questions, edit.measurement.after, strict=True)
        if question.role in EDITED
    }


def of_base(resident: Resident, said: Mapping[str, str]) -> Sayings:
    """What a base made the model say, by prompt; raises `BadRequestError` where the model has no
    such tokens."""
    encoder = resident.encoder
    return {
        as_run(prompt): _cut(resident, encoder.prompt_ids(followed(prompt, reply)))
        for prompt, reply in said.items()
    }


def to_others(request: EditRequest, sayings: Sayings) -> list[list[int]]:
    """What is said to other prompts than those that the request edits."""
    edited = set(map(as_run, request.steering_prompts))
    return [ids for prompt, ids in sayings.items() if prompt not in edited]


def _cut(resident: Resident, ids: list[int]) -> list[int]:
    return ids[: resident.encoder.most_tokens]
