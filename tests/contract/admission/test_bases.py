"""What is made on top of finished edits is told by their manifests."""

from finished_edits import REQUEST, finished

from contract.admission.bases import on_top_of, sayings_of
from contract.admission.workload import workload_of
from contract.memory import PRESERVED_TOKENS_PER_TEXT


def test_edits_say_what_they_answered_last_to_the_prompts_that_were_edited() -> None:
    one = finished("a", ("prompt", "Its capital is ", "Rome."), ("rephrase", "Where?", "Rome"))
    two = finished("b", ("refine", "He speaks", "Thai"), ("protect", "2 and 2 is", "4"))
    again = finished("c", ("prompt", "Its capital is", "Oslo."))

    assert sayings_of([one, two, again]) == {"Its capital is": "Oslo.", "He speaks": "Thai"}


def test_work_on_top_of_edits_carries_their_columns_and_holds_what_they_say() -> None:
    request = REQUEST.model_copy(update={"protect_prompts": ("12345",)})
    edits = [
        finished("a", ("prompt", "x" * 9, "y"), rank=2),
        finished("b", ("prompt", "x" * PRESERVED_TOKENS_PER_TEXT, "y"), rank=3, layer=1),
    ]

    work, above = workload_of(request, len), on_top_of(edits, request, len)

    assert above.base is not None
    assert (above.base.rank, above.base.chosen.neurons, above.base.chosen.layers) == (5, 2, 2)
    assert above.references.said == 2
    assert above.references.parts == work.references.parts
    assert above.references.tokens == work.references.tokens + 12 + PRESERVED_TOKENS_PER_TEXT + 3
    assert above.sayings == (PRESERVED_TOKENS_PER_TEXT, 12)
    assert above.protected == work.protected == (6,)


def test_what_the_edits_said_to_the_requests_own_prompts_is_not_held() -> None:
    request = REQUEST.model_copy(update={"refine_prompts": ("It is ",)})
    both = finished("a", ("prompt", f"{REQUEST.prompt} ", "y"), ("refine", "It is", "y"))

    above = on_top_of([both], request, len)

    assert (above.sayings, above.references.said) == ((), 0)


def test_work_on_top_of_nothing_is_what_it_is() -> None:
    assert on_top_of([], REQUEST, len) == workload_of(REQUEST, len)
