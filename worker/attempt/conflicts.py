"""Edits that may be in each other's way."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from contract.wire.composition import Conflict, ConflictKind
from contract.wire.views import NeuronView


class Written(NamedTuple):
    """What an edit is about, and where it writes."""

    edit_id: str
    subject: str
    neurons: tuple[NeuronView, ...]


def conflicts_of(edits: Sequence[Written]) -> tuple[Conflict, ...]:
    """All pairs about the same subject, whatever its case, then all that share columns."""
    return (*_same_subject(edits), *_overlapping(edits))


def _same_subject(edits: Sequence[Written]) -> Iterator[Conflict]:
    about: Mapping[str, list[Written]] = defaultdict(list)
    for edit in edits:
        about[edit.subject.strip().casefold()].append(edit)
    for alike in about.values():
        for one, other in combinations(alike, 2):
            yield Conflict(
                kind=ConflictKind.SAME_SUBJECT,
                edits=(one.edit_id, other.edit_id),
                subject=one.subject.strip(),
            )


def _overlapping(edits: Sequence[Written]) -> Iterator[Conflict]:
    places = {edit.edit_id: {(n.layer, n.unit) for n in edit.neurons} for edit in edits}
    for one, other in combinations(edits, 2):
        shared = places[one.edit_id] & places[other.edit_id]
        if shared:
            yield Conflict(
                kind=ConflictKind.OVERLAPPING_COLUMNS,
                edits=(one.edit_id, other.edit_id),
                neurons=tuple(n for n in one.neurons if (n.layer, n.unit) in shared),
            )
