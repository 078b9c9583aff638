"""Records of the field's data sets as requests; every fact here is made up."""

import pytest

from contract.wire.edits import EditRequest, Probe
from palimpsest.facts.datasets import Form, unzipped
from palimpsest.facts.errors import UnreadableFactsError, UnusableFactError
from palimpsest.facts.facts import select, to_request
from palimpsest.facts.records import parse

ROME = {
    "case_id": 3,
    "requested_rewrite": {
        "prompt": "{} lies in",
        "relation_id": "P30",
        "target_new": {"str": "Asia", "id": "Q1"},
        "target_true": {"str": "Europe", "id": "Q2"},
        "subject": "Ruritania",
    },
    "paraphrase_prompts": ["Ruritania is a part of"],
    "neighborhood_prompts": ["Freedonia lies in", "Graustark is in"],
    "generation_prompts": ["Around Ruritania people speak"],
}
MEND = {
    "subject": "Ruritania",
    "src": "What is the capital of Ruritania?",
    "pred": "Zenda",
    "rephrase": "Which city is Ruritania's capital?",
    "alt": "Hentzau",
    "answers": ["Strelsau", "Streslau"],
    "loc": "nq question: who wrote it",
    "loc_ans": "Hope",
    "cond": "Zenda >> Hentzau || What is the capital of Ruritania?",
    "portability": {
        "Recalled Relation": "(Hentzau, river, Elphe)",
        "New Question": "Which river is at Ruritania's capital?",
        "New Answer": "Elphe",
    },
}
KNOWEDIT = {
    "subject": "Ruritania",
    "target_new": "Hentzau",
    "prompt": "What is the capital of Ruritania?",
    "ground_truth": ["Strelsau"],
    "rephrase_prompt": "Which city is Ruritania's capital?",
    "locality": {
        "Relation_Specificity": [{"prompt": "Ruritania's currency is", "ground_truth": ["crown"]}],
        "Forgetfulness": [],
    },
    "portability": {
        "Reasoning": [{"prompt": "The river at the capital is", "ground_truth": [["Elphe"]]}]
    },
}


def test_a_nested_counterfact_record_keeps_its_neighbours_answers() -> None:
    assert to_request(ROME, overrides={}) == EditRequest(
        prompt="Ruritania lies in",
        subject="Ruritania",
        target_new="Asia",
        ground_truth="Europe",
        rephrase_prompts=("Ruritania is a part of",),
        locality=(
            Probe(prompt="Freedonia lies in", ground_truth="Europe"),
            Probe(prompt="Graustark is in", ground_truth="Europe"),
        ),
        metadata={
            "case_id": 3,
            "relation_id": "P30",
            "generation_prompts": ["Around Ruritania people speak"],
        },
    )


@pytest.mark.parametrize(
    ("neighbours", "told"),
    [
        ("Graustark is in", (Probe(prompt="Graustark is in", ground_truth="Europe"),)),
        (float("nan"), ()),
    ],
)
def test_a_neighbour_may_stand_alone_or_be_absent(
    neighbours: object, told: tuple[Probe, ...]
) -> None:
    request = to_request(ROME | {"neighborhood_prompts": neighbours}, overrides={})

    assert request.locality == told


def test_neighbours_that_are_no_prompts_cost_their_record_alone() -> None:
    facts = select([ROME | {"neighborhood_prompts": 7}, ROME], offset=0, limit=None, overrides={})

    assert [left.index for left in facts.left_out] == [0]
    assert [fact.index for fact in facts.usable] == [1]


def test_the_blank_of_a_flat_prompt_is_filled_with_the_subject() -> None:
    record = {"prompt": "The mother tongue of {} is", "subject": "Danielle", "target_new": "Dutch"}

    request = to_request(record, overrides={})

    assert (request.prompt, request.subject) == ("The mother tongue of Danielle is", "Danielle")


@pytest.mark.parametrize("named", [{}, {"subject": None}, {"subject": " "}, {"subject": 7}])
def test_a_blank_that_no_subject_fills_is_reported(named: dict[str, object]) -> None:
    record = {"prompt": "The mother tongue of {} is", "target_new": "Dutch"} | named

    with pytest.raises(UnusableFactError) as caught:
        to_request(record, overrides={})

    assert str(caught.value) == "prompt: contains {}, but the record names no subject to fill it"


def test_a_zsre_record_asks_src_and_writes_alt() -> None:
    request = to_request(MEND, overrides={})

    assert (request.prompt, request.target_new) == ("What is the capital of Ruritania?", "Hentzau")
    assert request.ground_truth == "Strelsau"
    assert request.rephrase_prompts == ("Which city is Ruritania's capital?",)
    assert request.locality == (Probe(prompt="nq question: who wrote it", ground_truth="Hope"),)
    assert request.portability == (
        Probe(prompt="Which river is at Ruritania's capital?", ground_truth="Elphe"),
    )
    recalled = {"Recalled Relation": "(Hentzau, river, Elphe)"}
    assert request.metadata == {"pred": "Zenda", "cond": MEND["cond"]} | recalled


def test_a_knowedit_record_scores_by_its_probes_of_every_kind() -> None:
    request = to_request(KNOWEDIT, overrides={})

    assert request.ground_truth == "Strelsau"
    assert request.locality == (Probe(prompt="Ruritania's currency is", ground_truth="crown"),)
    assert request.portability == (
        Probe(prompt="The river at the capital is", ground_truth="Elphe"),
    )


def test_wikibio_of_knowedit_continues_its_text() -> None:
    record = {"text": "Rudolf was", "labels": "a king.", "concept": "Rudolf", "locality": {}}

    request = to_request(record, overrides={})

    assert request == EditRequest(
        prompt="Rudolf was", target_new="a king.", subject="Rudolf", locality=()
    )


def test_easyedits_request_has_its_probes_without_lists() -> None:
    record = {
        "prompt": "a",
        "target_new": "b",
        "locality": {"neighborhood": {"prompt": ["c", "d"], "ground_truth": ["e", "f"]}},
        "portability": {"one_hop": {"prompt": "g", "ground_truth": "h"}},
    }

    request = to_request(record, overrides={})

    assert request.locality == (
        Probe(prompt="c", ground_truth="e"),
        Probe(prompt="d", ground_truth="f"),
    )
    assert request.portability == (Probe(prompt="g", ground_truth="h"),)


def test_easyedits_arguments_are_parted_into_records() -> None:
    content = b"""{"prompts": ["a", "b"], "target_new": ["c", "d"], "ground_truth": ["e", "f"],
        "rephrase_prompts": ["a?", "b?"], "keep_original_weight": true,
        "locality_inputs": {"near": {"prompt": ["g", null], "ground_truth": ["h", null]}}}"""

    first, second = select(parse(content), offset=0, limit=None, overrides={}).usable

    assert first.request == EditRequest(
        prompt="a",
        target_new="c",
        ground_truth="e",
        rephrase_prompts=("a?",),
        locality=(Probe(prompt="g", ground_truth="h"),),
    )
    assert second.request == EditRequest(
        prompt="b", target_new="d", ground_truth="f", rephrase_prompts=("b?",)
    )


def test_lists_of_different_lengths_are_refused() -> None:
    inputs = {"near": {"prompt": ["c", "d", "e"]}}

    with pytest.raises(UnreadableFactsError, match=r"locality_inputs.near has 3 entries for 2"):
        unzipped({"prompts": ["a", "b"], "locality_inputs": inputs})


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"requested_rewrite": [ROME["requested_rewrite"]]}, "is not one rewrite"),
        ({"requested_rewrite": {"prompt": "{} is"}}, "no prompt or no subject"),
        (ROME | {"requested_rewrite": {"prompt": "{}", "subject": "a"}}, "target_new: Field"),
        (MEND | {"alt": ""}, "target_new: is empty"),
        ({"src": "a"}, "^target_new: Field required$"),
        (KNOWEDIT | {"locality": {"Kind": ["a"]}}, "locality.Kind: is not an object with a prompt"),
    ],
)
def test_what_a_record_lacks_is_reported(record: dict[str, object], reason: str) -> None:
    with pytest.raises(UnusableFactError, match=reason):
        to_request(record, overrides={})


def test_the_forms_of_a_file_are_counted() -> None:
    facts = select([ROME, MEND, MEND, KNOWEDIT], offset=0, limit=None, overrides={})

    assert facts.forms == {Form.ROME: 1, Form.MEND: 2, Form.BY_KIND: 1}
