"""Jobs, watched by what the service tells of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from contract.wire.lifecycle import EditStatus
from contract.wire.views import EditEvent, EditView
from palimpsest.errors import UnreachableError
from palimpsest.watching import shown, watched

EventMaker = Callable[..., dict[str, Any]]


@dataclass
class FakeEdits:
    """One edit: `looks` are what each look finds, `told` what the feed tells after `past`."""

    looks: list[EditView]
    past: list[EditEvent] = field(default_factory=list)
    told: list[EditEvent] = field(default_factory=list)
    has_feed: bool = True
    asked_after: list[str | None] = field(default_factory=list)

    def follow(self, edit_id: str, *, every_s: int) -> Iterator[EditView]:
        yield from self.looks

    def history(self, edit_id: str) -> tuple[EditEvent, ...]:
        return tuple(self.past)

    def events(self, edit_id: str, *, after: str | None = None) -> Iterator[EditEvent]:
        self.asked_after.append(after)
        if not self.has_feed:
            raise UnreachableError("http://there", reason="cut off")
        for event in self.told:
            self.past.append(event)
            yield event


@pytest.fixture
def edits(
    edit: Callable[..., EditView], held_edit: Callable[..., EditView], an_event: EventMaker
) -> FakeEdits:
    told = [
        an_event("2-0", "phase", phase="collect"),
        an_event("3-0", "progress", done=1, total=4, unit="layers"),
        an_event("4-0", "phase", phase="write"),
        an_event("5-0", "succeeded"),
    ]
    return FakeEdits(
        looks=[edit(), edit(status=EditStatus.RUNNING), held_edit()],
        past=[EditEvent.model_validate(an_event("1-0", "queued"))],
        told=[EditEvent.model_validate(one) for one in told],
    )


def test_each_event_comes_once_and_the_final_job_last(edits: FakeEdits) -> None:
    seen = list(watched(edits, "edit-1"))

    assert [one.id for one in seen if isinstance(one, EditEvent)] == [
        f"{n}-0" for n in (1, 2, 3, 4, 5)
    ]
    assert isinstance(seen[-1], EditView)
    assert seen[-1].status is EditStatus.SUCCEEDED
    assert edits.asked_after == ["1-0"]


def test_where_no_feed_gets_through_the_job_is_looked_at(
    edits: FakeEdits, edit: Callable[..., EditView]
) -> None:
    edits.has_feed = False
    edits.looks.insert(1, edit(status=EditStatus.RUNNING))

    seen = list(watched(edits, "edit-1"))

    assert len(seen) == 1 + len(edits.looks)
    assert len(edits.asked_after) == 1


def test_what_an_event_tells_is_seen_in_the_job(edits: FakeEdits) -> None:
    seen = [
        (job.status.value, job.phase and job.phase.value, job.progress and job.progress.done)
        for job in shown(edits, "edit-1")
    ]

    assert seen == [
        ("queued", None, None),
        ("running", None, None),
        ("running", "collect", None),
        ("running", "collect", 1),
        ("running", "write", None),
        ("running", "write", None),
        ("succeeded", None, None),
    ]
