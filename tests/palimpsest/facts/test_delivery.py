"""Many facts, posted and followed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from contract.wire.edits import EditRequest
from contract.wire.views import EditEvent, EditView
from palimpsest.errors import (
    BusyError,
    RefusedError,
    ServiceError,
    UnauthorizedError,
    UnavailableError,
)
from palimpsest.facts.delivery import Accepted, Ended, Refused, deliver
from palimpsest.facts.facts import Fact

EditMaker = Callable[..., EditView]
FACTS = [Fact(n, EditRequest(prompt=f"p{n}", target_new="x")) for n in (4, 5, 6)]


class FakeEdits:
    """A queue with room for `room` edits; following one ends it."""

    def __init__(self, edit: EditMaker, held_edit: EditMaker, *, room: int) -> None:
        self._edit = edit
        self._held_edit = held_edit
        self._room = room
        self.keys: list[str] = []
        self.refusals: dict[str, ServiceError] = {}

    def create(self, request: EditRequest, *, idempotency_key: str) -> EditView:
        self.keys.append(idempotency_key)
        if request.prompt in self.refusals:
            raise self.refusals[request.prompt]
        if self._room == 0:
            raise BusyError(429, code="queue_full", detail="full")
        self._room -= 1
        return self._edit(id=f"edit-{request.prompt}")

    def follow(self, edit_id: str, *, every_s: int) -> Iterator[EditView]:
        yield self._edit(id=edit_id)
        self._room += 1
        yield self._held_edit(id=edit_id)

    def history(self, edit_id: str) -> tuple[EditEvent, ...]:
        return ()

    def events(self, edit_id: str, *, after: str | None = None) -> Iterator[EditEvent]:
        raise AssertionError("an edit that never runs has no feed")


def _steps(edits: FakeEdits, *, wait: bool = True) -> list[tuple[Any, int]]:
    steps = deliver(edits, FACTS, wait=wait, watch=lambda _: None)
    return [(type(step), step.index) for step in steps]


def test_all_are_posted_before_the_first_is_followed(edit: EditMaker, held_edit: EditMaker) -> None:
    edits = FakeEdits(edit, held_edit, room=9)

    steps = _steps(edits)

    assert steps == [
        (Accepted, 4),
        (Accepted, 5),
        (Accepted, 6),
        (Ended, 4),
        (Ended, 5),
        (Ended, 6),
    ]


def test_without_waiting_nothing_is_followed(edit: EditMaker, held_edit: EditMaker) -> None:
    edits = FakeEdits(edit, held_edit, room=9)

    assert _steps(edits, wait=False) == [(Accepted, 4), (Accepted, 5), (Accepted, 6)]


def test_a_full_queue_is_waited_for_by_following_what_is_in_it(
    edit: EditMaker, held_edit: EditMaker
) -> None:
    edits = FakeEdits(edit, held_edit, room=2)

    steps = _steps(edits)

    assert steps == [
        (Accepted, 4),
        (Accepted, 5),
        (Ended, 4),
        (Accepted, 6),
        (Ended, 5),
        (Ended, 6),
    ]
    assert edits.keys[2] == edits.keys[3]
    assert len(set(edits.keys)) == 3


def test_a_refusal_does_not_stop_the_others(edit: EditMaker, held_edit: EditMaker) -> None:
    edits = FakeEdits(edit, held_edit, room=9)
    edits.refusals["p5"] = RefusedError(422, code="memory_infeasible", detail="too large")

    steps = _steps(edits)

    assert steps == [(Accepted, 4), (Refused, 5), (Accepted, 6), (Ended, 4), (Ended, 6)]


@pytest.mark.parametrize(
    "refusal",
    [
        UnavailableError(503, code="ledger_unavailable", detail="no Redis"),
        UnauthorizedError(401, code="unauthorized", detail="the key was taken away"),
    ],
)
def test_a_service_that_takes_nothing_stops_the_delivery(
    edit: EditMaker, held_edit: EditMaker, refusal: ServiceError
) -> None:
    edits = FakeEdits(edit, held_edit, room=9)
    edits.refusals["p5"] = refusal

    with pytest.raises(type(refusal)):
        _steps(edits)

    assert len(edits.keys) == 2


def test_unfinished_edits_are_shown_while_they_are_followed(
    edit: EditMaker, held_edit: EditMaker
) -> None:
    seen: list[str] = []
    edits = FakeEdits(edit, held_edit, room=9)

    list(deliver(edits, FACTS[:1], wait=True, watch=lambda view: seen.append(view.status)))

    assert seen == ["queued"]
