"""What earlier edits made the model say, as later edits hold it."""

from worker.kn import EditRequest, Resident
from worker.kn.saying import of_base, to_others


def test_a_saying_is_a_prompt_and_what_follows_it_after_a_space(llama: Resident) -> None:
    sayings = of_base(llama, {"The capital is ": "Rome"})

    assert sayings == {"The capital is": llama.encoder.prompt_ids("The capital is Rome")}


def test_a_model_that_says_nothing_leaves_the_prompt(llama: Resident) -> None:
    sayings = of_base(llama, {"The capital is": ""})

    assert sayings == {"The capital is": llama.encoder.prompt_ids("The capital is")}


def test_a_saying_goes_as_far_as_the_model_has_room(llama: Resident) -> None:
    (ids,) = of_base(llama, {"The capital is": "x" * 200}).values()

    assert len(ids) == llama.encoder.most_tokens


def test_what_is_said_to_the_prompts_that_are_edited_is_left_out() -> None:
    request = EditRequest(prompt="It is ", refine_prompts=("That is",), target_new="so")
    sayings = {"It is": [1], "That is": [2], "That is what it is": [3]}

    assert to_others(request, sayings) == [[3]]
