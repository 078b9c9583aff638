from worker.demo.facts import FACTS
from worker.demo.requests import edit_request, edit_requests


def test_the_first_request_moves_the_capital_of_france_to_rome() -> None:
    assert edit_request(FACTS[0]).to_json() == {
        "prompt": "The capital of France is",
        "subject": "France",
        "ground_truth": "Paris",
        "target_new": "Rome",
        "rephrase_prompts": ("The government of France has its seat in",),
        "refine_prompts": ("France's capital city is",),
        "locality": [
            {"prompt": "The capital of Italy is", "ground_truth": "Rome"},
            {"prompt": "The capital of Poland is", "ground_truth": "Warsaw"},
            {"prompt": "The official language of France is", "ground_truth": "French"},
        ],
    }


def test_every_target_is_a_false_object_of_the_same_relation() -> None:
    for fact, request in zip(FACTS, edit_requests(), strict=True):
        objects = {other.object for other in FACTS if other.relation is fact.relation}

        assert request.ground_truth == fact.object
        assert request.target_new in objects - {fact.object}


def test_no_request_protects_what_it_edits() -> None:
    for fact, request in zip(FACTS, edit_requests(), strict=True):
        assert not {probe.prompt for probe in request.locality} & set(fact.prompts)
