"""Which edits may be in each other's way."""

from contract.wire.composition import ConflictKind
from contract.wire.views import NeuronView
from worker.attempt.conflicts import Written, conflicts_of


def written(edit_id: str, subject: str, *places: tuple[int, int]) -> Written:
    neurons = tuple(NeuronView(layer=layer, unit=unit, score=0.5) for layer, unit in places)
    return Written(edit_id, subject, neurons)


def test_edits_about_other_things_in_other_places_do_not_conflict() -> None:
    assert conflicts_of([written("a", "France", (0, 1)), written("b", "Japan", (1, 0))]) == ()


def test_the_same_subject_is_reported_whatever_its_case() -> None:
    (conflict,) = conflicts_of([written("a", "France", (0, 1)), written("b", " france", (0, 2))])

    assert (conflict.kind, conflict.edits) == (ConflictKind.SAME_SUBJECT, ("a", "b"))
    assert conflict.subject == "France"


def test_columns_that_two_write_are_named() -> None:
    first, second = written("a", "x", (0, 1), (2, 3), (4, 5)), written("b", "y", (2, 3), (4, 5))

    (conflict,) = conflicts_of([first, second])

    assert (conflict.kind, conflict.edits) == (ConflictKind.OVERLAPPING_COLUMNS, ("a", "b"))
    assert [(n.layer, n.unit) for n in conflict.neurons] == [(2, 3), (4, 5)]


def test_each_pair_is_reported_once() -> None:
    alike = [written(name, "France", (0, 1)) for name in "abc"]

    pairs = [(conflict.kind, conflict.edits) for conflict in conflicts_of(alike)]

    assert pairs == [
        (kind, pair)
        for kind in (ConflictKind.SAME_SUBJECT, ConflictKind.OVERLAPPING_COLUMNS)
        for pair in (("a", "b"), ("a", "c"), ("b", "c"))
    ]
