"""What the demo makes of an edit and an adapter."""

from collections.abc import Callable, Mapping
from typing import Any

from contract.wire.lifecycle import Outcome
from contract.wire.views import Answer
from palimpsest.demonstration import PROMPTS, Demonstration

EditMaker = Callable[..., Any]
FRANCE, PARAPHRASE, JAPAN = PROMPTS.values()
GOOD = {FRANCE: "Rome", PARAPHRASE: "Rome", JAPAN: "Tokyo"}


def _answers(after: Mapping[str, str]) -> tuple[Answer, ...]:
    before = {FRANCE: " Paris. And", PARAPHRASE: "Paris.", JAPAN: "Tokyo."}
    return tuple(
        Answer(role="any", prompt=prompt, expected=None, before=before[prompt], after=after[prompt])
        for prompt in before
    )


def test_an_edit_that_holds_everywhere_is_as_promised(held_edit: EditMaker) -> None:
    shown = Demonstration.of(held_edit(answers=_answers(GOOD)), GOOD)

    assert shown.failures() == []
    assert shown.remarks() == []
    assert shown.as_json() == {
        "edit_id": "edit-1",
        "status": "succeeded",
        "outcome": "held",
        "before": "Paris",
        "after": "Rome",
        "adapter_after": "Rome",
        "checkpoint_id": "ckpt-1",
        "paraphrase": {"before": "Paris", "after": "Rome", "adapter_after": "Rome"},
        "unrelated": {"before": "Tokyo", "after": "Tokyo", "adapter_after": "Tokyo"},
    }


def test_the_answers_are_a_table(held_edit: EditMaker) -> None:
    shown = Demonstration.of(held_edit(answers=_answers(GOOD)), GOOD)

    assert shown.table() == [
        "            PROMPT                    BEFORE  AFTER  ADAPTER WITH PEFT",
        "prompt      The capital of France is  Paris   Rome   Rome",
        "paraphrase  France's capital city is  Paris   Rome   Rome",
        "unrelated   The capital of Japan is   Tokyo   Tokyo  Tokyo",
    ]


def test_everything_that_does_not_hold_is_reported(held_edit: EditMaker) -> None:
    after = {FRANCE: "Paris.", PARAPHRASE: "Paris.", JAPAN: "Rome."}
    edit = held_edit(outcome=Outcome.NOT_HELD, after="Paris.", answers=_answers(after))

    shown = Demonstration.of(edit, {FRANCE: "Paris", PARAPHRASE: "Paris", JAPAN: "Kyoto"})

    assert shown.failures() == [
        "the answer did not change",
        "the service does not answer 'Rome'",
        "the adapter does not answer 'Rome'",
        "the unrelated answer changed",
        "the adapter changed the unrelated answer",
    ]
    assert shown.remarks() == ["the edit does not carry over to the paraphrase"]


def test_an_adapter_that_says_something_else_is_reported(held_edit: EditMaker) -> None:
    shown = Demonstration.of(held_edit(answers=_answers(GOOD)), GOOD | {FRANCE: "Paris"})

    assert shown.failures() == ["the adapter does not answer 'Rome'"]


def test_an_answer_that_is_missing_is_no_success(held_edit: EditMaker) -> None:
    shown = Demonstration.of(held_edit(answers=_answers(GOOD)[:1]), GOOD)

    assert shown.failures() == ["the adapter changed the unrelated answer"]


def test_a_failed_edit_is_reported_with_its_reason(failed_edit: EditMaker) -> None:
    shown = Demonstration.of(failed_edit(), {})

    assert shown.failures() == ["the edit failed: none was found"]
    assert shown.as_json()["checkpoint_id"] is None
