"""What earlier edits made the model say, as later edits hold it."""

from worker.kn import Resident
from worker.kn.saying import told


def test_a_saying_is_a_prompt_and_what_follows_it_after_a_space(llama: Resident) -> None:
    (saying,) = told(llama, [("The capital is ", "Rome")])

    assert saying.prompt == tuple(llama.encoder.prompt_ids("The capital is"))
    assert saying.ids == tuple(llama.encoder.prompt_ids("The capital is Rome"))


def test_a_model_that_says_nothing_leaves_the_prompt(llama: Resident) -> None:
    (saying,) = told(llama, [("The capital is", " ")])

    assert saying == (tuple(llama.encoder.prompt_ids("The capital is")), ())


def test_a_saying_goes_as_far_as_the_model_has_room(llama: Resident) -> None:
    (saying,) = told(llama, [("The capital is", "x" * 200)])

    assert len(saying.ids) == llama.encoder.most_tokens
