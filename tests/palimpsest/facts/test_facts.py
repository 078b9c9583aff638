"""Facts from files."""

import pytest

from contract.wire.edits import EditRequest, HParams, Method, Probe
from palimpsest.facts.errors import UnusableFactError
from palimpsest.facts.facts import Fact, LeftOut, select, to_request
from palimpsest.facts.records import parse

COUNTERFACT = {
    "case_id": 7,
    "prompt": "Apple A5 was created by",
    "target_new": "Google",
    "subject": "Apple A5",
    "ground_truth": "Apple",
    "rephrase_prompt": "Apple A5 is a product of",
    "locality_prompt": "The twin city of Trieste is",
    "locality_ground_truth": "Beirut",
}


def test_a_counterfact_record_becomes_a_request() -> None:
    request = to_request(COUNTERFACT, overrides={})

    assert request == EditRequest(
        prompt="Apple A5 was created by",
        target_new="Google",
        subject="Apple A5",
        ground_truth="Apple",
        rephrase_prompts=("Apple A5 is a product of",),
        locality=(Probe(prompt="The twin city of Trieste is", ground_truth="Beirut"),),
        metadata={"case_id": 7},
    )


def test_a_record_in_our_own_form_is_taken_as_it_is() -> None:
    record = {
        "prompt": "a",
        "target_new": "b",
        "method": "paper",
        "refine_prompts": ["c"],
        "locality": [{"prompt": "d"}],
        "hparams": {"steps": 3},
        "metadata": {"team": "search"},
    }

    request = to_request(record, overrides={})

    assert request == EditRequest(
        prompt="a",
        target_new="b",
        method=Method.PAPER,
        refine_prompts=("c",),
        locality=(Probe(prompt="d"),),
        hparams=HParams(steps=3),
        metadata={"team": "search"},
    )


def test_what_is_not_set_is_left_to_the_service() -> None:
    request = to_request({"prompt": "a", "target_new": "b", "subject": None}, overrides={})

    assert request.model_dump_json(exclude_unset=True) == '{"prompt":"a","target_new":"b"}'


@pytest.mark.parametrize(
    ("ground_truth", "taken"),
    [
        (["Paris", "paris"], "Paris"),
        ([], None),
        ("", None),
        (None, None),
        (float("nan"), None),
        (" Paris", " Paris"),
    ],
)
def test_the_first_ground_truth_counts_and_a_blank_one_does_not(
    ground_truth: object, taken: str | None
) -> None:
    record = {"prompt": "a", "target_new": "b", "ground_truth": ground_truth}

    assert to_request(record, overrides={}).ground_truth == taken


def test_several_probes_may_go_without_answers() -> None:
    record = {"prompt": "a", "target_new": "b", "locality_prompt": ["c", "d"]}

    assert to_request(record, overrides={}).locality == (Probe(prompt="c"), Probe(prompt="d"))


def test_overrides_win_and_hparams_are_merged() -> None:
    record = {
        "prompt": "a",
        "target_new": "b",
        "method": "paper",
        "hparams": {"steps": 3, "p": 0.1},
    }

    request = to_request(record, overrides={"method": "easyedit", "hparams": {"p": 0.2}})

    assert request.method is Method.EASYEDIT
    assert request.hparams == HParams(steps=3, p=0.2)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"prompt": "a"}, "target_new: Field required"),
        ({"prompt": "a", "target_new": ""}, "target_new: is empty"),
        ({"prompt": "a", "target_new": "  "}, "target_new: is blank"),
        ({"prompt": "a" * 4001, "target_new": "b"}, "prompt: is longer than 4000 characters"),
        ({"target_new": "b"}, "prompt: Field required"),
        ({"prompt": "a", "target_new": 1984}, "target_new: Input should be a valid string"),
        ({"prompt": "a", "target_new": "\ud800"}, "target_new: contains a lone surrogate"),
        ({"prompt": "a", "target_new": "b", "x": "\ud800"}, "metadata: cannot be written as JSON"),
        (
            {"prompt": "a", "target_new": "b", "x": 1, "metadata": []},
            "metadata: it is not an object",
        ),
        ({"prompt": "a", "target_new": "b", "refine_prompts": "c"}, "should be a list"),
        ("Paris", 'it is not an object, but "Paris"'),
        (
            {
                "prompt": "a",
                "target_new": "b",
                "locality_prompt": ["c", "d"],
                "locality_ground_truth": ["e"],
            },
            "locality_prompt: 2 prompts have 1 answers",
        ),
    ],
)
def test_a_record_that_cannot_be_a_request_tells_why(record: object, reason: str) -> None:
    with pytest.raises(UnusableFactError) as caught:
        to_request(record, overrides={})

    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("record", "has"),
    [
        ({"question": "a", "old": "b", "new": "c"}, "question, old, new"),
        ({}, "no fields"),
        (
            {f"field {n}": n for n in range(30)},
            "field 0, field 1, field 2, field 3, field 4, field 5, field…",
        ),
    ],
)
def test_a_record_of_other_fields_tells_which_it_has_and_which_it_needs(
    record: dict[str, object], has: str
) -> None:
    with pytest.raises(UnusableFactError) as caught:
        to_request(record, overrides={})

    assert str(caught.value) == f"it has {has}; a record needs `prompt` and `target_new`"


def test_a_record_is_left_out_with_its_index_and_the_others_stay() -> None:
    records = [{"prompt": "a", "target_new": ""}, {"prompt": "a", "target_new": "b", "id": 4}]

    facts = select(records, offset=0, limit=None, overrides={})

    good = EditRequest(prompt="a", target_new="b", metadata={"id": 4})
    assert facts.usable == (Fact(1, good),)
    assert facts.left_out == (LeftOut(0, "target_new: is empty"),)
    assert facts.kept_as_metadata == {"id": 1}


def test_offset_and_limit_count_records_of_the_file() -> None:
    records = [{"prompt": str(n), "target_new": "b"} for n in range(5)]

    facts = select(records, offset=1, limit=2, overrides={})

    assert [fact.index for fact in facts.usable] == [1, 2]
    assert [fact.request.prompt for fact in facts.usable] == ["1", "2"]


def test_a_broken_line_is_left_out_with_its_number_and_the_others_stay() -> None:
    content = (
        b'{"prompt": "a", "target_new": "b"}\r\n\r\n{"prompt"\n{"prompt": "c", "target_new": "d"}\n'
    )

    facts = select(parse(content), offset=0, limit=None, overrides={})

    assert [fact.request.prompt for fact in facts.usable] == ["a", "c"]
    assert [left.index for left in facts.left_out] == [1]
    assert facts.left_out[0].reason.startswith("line 3 is not JSON: ")


def test_what_a_record_tells_in_two_forms_is_taken_of_both() -> None:
    record = {
        "prompt": "a",
        "target_new": "b",
        "rephrase_prompts": ["c"],
        "rephrase_prompt": "d",
        "locality": {"near": [{"prompt": "e", "ground_truth": "f"}]},
        "locality_prompt": "g",
    }

    request = to_request(record, overrides={})

    assert request.rephrase_prompts == ("c", "d")
    assert [probe.prompt for probe in request.locality] == ["e", "g"]
