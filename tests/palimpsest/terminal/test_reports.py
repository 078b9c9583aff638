"""Edits as a person reads them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from contract.wire.lifecycle import EditStatus, Outcome, Phase, QueuedReason
from contract.wire.views import (
    Answer,
    EditEvent,
    EditPage,
    EditWarning,
    MemoryView,
    Progress,
    QueueView,
)
from palimpsest.terminal.reports import (
    activity,
    details,
    ending,
    event,
    ranges,
    table,
    verdict,
)

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
EditMaker = Callable[..., Any]


def test_an_edit_that_held_is_reported_in_one_line(held_edit: EditMaker) -> None:
    assert ending(held_edit()) == (
        "held      “The capital of France is” · Paris. → Rome. · 2 neurons in layers 1, 3 · ckpt-1"
    )


def test_a_failed_edit_tells_code_and_reason(failed_edit: EditMaker) -> None:
    assert ending(failed_edit()) == (
        "failed    “The capital of France is” · no_neurons: none was found · edit-1"
    )


def test_the_line_breaks_of_a_prompt_are_seen_wherever_it_is_shown(held_edit: EditMaker) -> None:
    other = Answer(role="locality", prompt="Q?\n", expected=None, before="a", after="a")
    shown = held_edit(prompt="Who?\n<|assistant|>\n", answers=(other,))

    assert "“Who?↵<|assistant|>↵”" in ending(shown)
    assert "  Who?↵<|assistant|>↵  " in table(EditPage(items=(shown,), next_cursor=None))[1]
    assert "  prompt      Who?↵<|assistant|>↵" in details(shown)
    assert "  locality    Q?↵ … a → a" in details(shown)


def test_warnings_are_named(held_edit: EditMaker) -> None:
    warned = (EditWarning(code="ground_truth_differs", message="it says Lyon"),)

    assert ending(held_edit(warnings=warned)).endswith("ckpt-1 · warning ground_truth_differs")


def test_succeeded_is_not_held_where_the_answer_did_not_take(held_edit: EditMaker) -> None:
    assert verdict(held_edit()) == "held"
    assert verdict(held_edit(outcome=Outcome.NOT_HELD)) == "not held"


def test_not_held_where_that_is_a_failure_is_a_failure(failed_edit: EditMaker) -> None:
    assert verdict(failed_edit(outcome=Outcome.NOT_HELD)) == "failed"


def test_a_waiting_edit_tells_its_place_and_why(edit: EditMaker) -> None:
    waiting = edit(queue=QueueView(position=3, eta_s=None), queued_reason=QueuedReason.NO_WORKER)

    assert activity(edit()) == "queued"
    assert activity(waiting) == "queued, 3 ahead (no_worker)"


def test_a_running_edit_tells_its_phase(edit: EditMaker) -> None:
    running = edit(
        status=EditStatus.RUNNING,
        phase=Phase.COLLECT,
        progress=Progress(done=2, total=8, unit="layers"),
    )

    assert activity(edit(status=EditStatus.RUNNING)) == "running"
    assert activity(running) == "collect 2/8 layers"


def test_a_page_is_a_table(edit: EditMaker, held_edit: EditMaker, failed_edit: EditMaker) -> None:
    edits = (edit(id="edit-3"), held_edit(id="edit-2", prompt="Rome is in"), failed_edit())

    lines = table(EditPage(items=edits, next_cursor=None))

    assert lines == [
        "EDIT    CREATED           STATE               PROMPT                    CHANGE",
        "edit-3  2026-01-02 12:00  queued              The capital of France is  Paris → Rome",
        "edit-2  2026-01-02 12:00  held                Rome is in                Paris. → Rome.",
        "edit-1  2026-01-02 12:00  failed: no_neurons  The capital of France is  Paris → Rome",
    ]


def test_details_are_aligned_and_leave_out_what_is_unknown(held_edit: EditMaker) -> None:
    other = Answer(
        role="locality", prompt="Japan's is", expected=None, before="Tokyo.", after="Tokyo."
    )
    shown = held_edit(
        model="demo",
        answers=(other,),
        memory=MemoryView(predicted_peak_bytes=2_000_000, observed_peak_bytes=1_500_000),
        finished_at=NOON + timedelta(seconds=1.5),
        timings={"collect_s": 0.5, "write_s": 1.0},
    )

    assert details(shown) == [
        "edit-1  held",
        "  model       demo",
        "  method      calibrated",
        "  prompt      The capital of France is",
        "  wanted      Paris → Rome",
        "  before      Paris.",
        "  after       Rome.",
        "  locality    Japan's is … Tokyo. → Tokyo.",
        "  neurons     2 neurons in layers 1, 3",
        "  metrics     rewrite_acc 1.00 · locality_acc 0.50",
        "  memory      2.0 MB predicted, 1.5 MB observed",
        "  took        1.5 s",
        "  of that     collect_s 0.5 · write_s 1.0",
        "  created     2026-01-02T12:00:00+00:00",
        "  checkpoint  ckpt-1",
    ]


def test_details_of_a_failure_begin_with_the_error(failed_edit: EditMaker) -> None:
    assert details(failed_edit())[:2] == [
        "edit-1  failed",
        "  error    no_neurons: none was found",
    ]


def test_an_event_tells_its_facts() -> None:
    happened = EditEvent(
        id="1-0",
        type="admission",
        at=NOON,
        data={"decision": "admit", "applied": {"n": 2, "t": None}},
    )

    assert event(happened) == "12:00:00  admission  decision=admit applied=n:2"


def test_layers_in_a_row_are_a_range() -> None:
    assert ranges([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
