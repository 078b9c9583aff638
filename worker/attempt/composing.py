"""What came of a composition, told of the edits that are in it."""

from collections.abc import Sequence
from typing import Any

from contract.wire.composition import Composition, Retest
from contract.wire.lifecycle import Outcome
from contract.wire.views import EditResult
from worker.attempt.conflicts import Written, conflicts_of
from worker.attempt.lineage import Member


def composition_of(members: Sequence[Member], retests: Sequence[dict[str, Any]]) -> Composition:
    """Each edit's retest, as the engine told it, and what may be in the way of what."""
    tested = tuple(
        Retest(edit_id=member.edit_id, **retest)
        for member, retest in zip(members, retests, strict=True)
    )
    held = all(test.outcome is Outcome.HELD for test in tested)
    return Composition(
        outcome=Outcome.HELD if held else Outcome.NOT_HELD,
        retests=tested,
        conflicts=conflicts_of([_written(member) for member in members]),
    )


def _written(member: Member) -> Written:
    """An edit that names no subject is about its prompt."""
    result = member.checkpoint.result
    assert isinstance(result, EditResult)
    subject = member.request.subject or member.request.prompt
    return Written(member.edit_id, subject, result.neurons)
