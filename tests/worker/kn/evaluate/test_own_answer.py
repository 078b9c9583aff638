"""What the model answers by itself, read off a continuation."""

from worker.kn import EditRequest, Resident
from worker.kn.evaluate.own_answer import OwnAnswer
from worker.kn.evaluate.replies import Reply


def test_an_answer_ends_before_its_first_mark(llama: Resident) -> None:
    own = _own(llama, "Paris. It", target="Brussels")

    assert own.text == "Paris"
    assert own.ending == _id(llama, ".")


def test_an_answer_counts_as_far_as_the_new_one_is_long(llama: Resident) -> None:
    own = _own(llama, "Paris, France", target="Bonn")

    assert own.text == "Pari"  # the new answer is a space and four letters: as many tokens here
    assert own.ending == _id(llama, ",")


def test_a_truth_that_the_model_says_tells_where_the_answer_ends(llama: Resident) -> None:
    own = _own(llama, "St. Paul. It", target="Minneapolis", truth="St. Paul")

    assert own.ending == _id(llama, ".")
    assert own.text == "St. Paul"


def test_a_truth_that_the_model_goes_on_from_has_no_ending(llama: Resident) -> None:
    assert _own(llama, "New York", target="Boston", truth="New").ending is None


def test_an_answer_that_begins_with_a_mark_has_no_ending(llama: Resident) -> None:
    assert _own(llama, "\nRome", target="Boston").ending is None


def test_an_answer_keeps_its_tokens_where_it_is_no_word_after_a_space(llama: Resident) -> None:
    reply = Reply("Paris", tuple(_ids(llama, "Paris")), (), ())

    own = OwnAnswer.of(llama, EditRequest(prompt="It is", target_new="Bonn"), reply)

    assert own.ids == tuple(_ids(llama, "Paris"))


def test_an_answer_that_begins_with_a_mark_is_taken_with_it(llama: Resident) -> None:
    assert _own(llama, "\nRome", target="Bonn").text == "Rom"


def test_a_model_that_says_nothing_has_no_answer(llama: Resident) -> None:
    own = OwnAnswer.of(llama, EditRequest(prompt="It is", target_new="Bonn"), Reply("", (), (), ()))

    assert own == OwnAnswer(ids=(), text="", ending=None)


def test_an_answer_that_ends_the_text_ends_with_its_token(llama: Resident) -> None:
    end = llama.tokenizer.eos_token_id

    assert _own(llama, "gold", target="lime", end=end).ending == end
    assert _own(llama, "gold", target="lime").ending is None  # generation was cut there


def test_an_answer_is_at_least_as_long_as_it_takes_to_say_something(llama: Resident) -> None:
    own = _own(llama, "1984.", target="x")  # the first token is the space alone

    assert own.text == "1"


def test_a_new_answer_that_ends_by_itself_gets_no_other_ending(llama: Resident) -> None:
    assert _own(llama, "gold. It", target="lime.").ending is None


def _own(
    resident: Resident, said: str, *, target: str, truth: str | None = None, end: int | None = None
) -> OwnAnswer:
    ids = tuple(_ids(resident, f" {said}"))
    request = EditRequest(prompt="It is", target_new=target, ground_truth=truth)
    return OwnAnswer.of(resident, request, Reply(said, ids, (), (), end=end))


def _ids(resident: Resident, text: str) -> list[int]:
    return resident.tokenizer.encode(text, add_special_tokens=False)


def _id(resident: Resident, letter: str) -> int:
    return _ids(resident, letter)[0]
