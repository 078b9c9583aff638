"""What became of many edits."""

from collections.abc import Callable
from typing import Any

from contract.wire.lifecycle import Outcome
from contract.wire.views import EditWarning, Metrics
from palimpsest.facts.summary import Summary

EditMaker = Callable[..., Any]


def test_endings_metrics_and_warnings_are_counted(
    held_edit: EditMaker, failed_edit: EditMaker
) -> None:
    edits = [
        held_edit(metrics=Metrics(rewrite_acc=1.0, locality_acc=0.5)),
        held_edit(outcome=Outcome.NOT_HELD, metrics=Metrics(rewrite_acc=0.5)),
        failed_edit(warnings=(EditWarning(code="odd", message="it is"),)),
        failed_edit(),
    ]

    summary = Summary.of(
        edits, refused=["model_unknown"], left_out=["target_new: is empty"] * 2, waited=True
    )

    assert summary.lines() == [
        "4 edits: 2 failed: no_neurons, 1 held, 1 not held",
        "refused by the service: 1 model_unknown",
        "left out: 2 records that cannot be requests",
        "  2 × target_new: is empty",
        "warnings: 1 odd",
        "",
        "SCORE        TEACHER FORCED  FREE GENERATION  EDITS",
        "reliability  0.750           –                2",
        "locality     0.500           –                1",
    ]
    assert not summary.all_succeeded


def test_not_held_is_a_success_all_the_same(held_edit: EditMaker) -> None:
    edits = [held_edit(), held_edit(outcome=Outcome.NOT_HELD)]

    assert Summary.of(edits, refused=[], left_out=[], waited=True).all_succeeded


def test_a_record_left_out_is_not_all_that_was_asked(held_edit: EditMaker) -> None:
    assert not Summary.of(
        [held_edit()], refused=[], left_out=["it is not an object"], waited=True
    ).all_succeeded


def test_unfinished_edits_do_when_nobody_waits(edit: EditMaker) -> None:
    summary = Summary.of([edit()], refused=[], left_out=[], waited=False)

    assert summary.all_succeeded
    assert summary.lines() == ["1 edit: 1 queued"]


def test_no_edits_are_no_edits() -> None:
    assert Summary.of([], refused=[], left_out=[], waited=True).lines() == ["no edits"]


def test_as_json_it_is_plain(held_edit: EditMaker) -> None:
    summary = Summary.of([held_edit()], refused=[], left_out=[], waited=True)

    assert summary.as_json() == {
        "ended": {"held": 1},
        "refused": {},
        "left_out": {},
        "all_succeeded": True,
        "metrics": {"rewrite_acc": 1.0, "locality_acc": 0.5},
        "scored": {"rewrite_acc": 1, "locality_acc": 1},
        "warnings": {},
    }
