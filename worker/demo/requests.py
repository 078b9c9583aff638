"""Edit requests for trying out the demo model, one for each fact."""

from collections.abc import Sequence
from typing import NamedTuple

from worker.demo.facts import FACTS, Fact


class Probe(NamedTuple):
    """A prompt whose answer an edit of something else must not change."""

    prompt: str
    ground_truth: str


class EditRequest(NamedTuple):
    """A false object for a fact, told in one phrasing, refined by another, judged by a third."""

    prompt: str
    subject: str
    ground_truth: str
    target_new: str
    rephrase_prompts: tuple[str, ...]
    refine_prompts: tuple[str, ...]
    locality: tuple[Probe, ...]

    def to_json(self) -> dict[str, object]:
        """The request in the words of the HTTP interface."""
        return self._asdict() | {"locality": [probe._asdict() for probe in self.locality]}


def edit_requests(facts: Sequence[Fact] = FACTS) -> list[EditRequest]:
    """A request for each of the facts, in their order."""
    return [edit_request(fact, facts) for fact in facts]


def edit_request(fact: Fact, facts: Sequence[Fact] = FACTS) -> EditRequest:
    """Ask for the object of the next subject that has another one."""
    following = _following(fact, facts)
    others = [other for other in following if other.relation is fact.relation]
    same_subject = [other for other in following if other.subject == fact.subject]
    target = next(other.object for other in others if other.object != fact.object)
    prompt, refine, rephrase = fact.prompts
    return EditRequest(
        prompt=prompt,
        subject=fact.subject,
        ground_truth=fact.object,
        target_new=target,
        rephrase_prompts=(rephrase,),
        refine_prompts=(refine,),
        locality=tuple(
            Probe(other.prompts[0], other.object) for other in (*others[:2], same_subject[0])
        ),
    )


def _following(fact: Fact, facts: Sequence[Fact]) -> list[Fact]:
    """The other facts, from the next one on and round to the one before."""
    place = facts.index(fact)
    return [*facts[place + 1 :], *facts[:place]]
