"""A subject as it is spelled after a space, and at a text's beginning."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import Letters

from contract.memory import RESPELLED_TOKENS
from worker.demo.tokenizer import build_tokenizer
from worker.kn import Resident
from worker.kn.methods.spelling import respelled, spelled
from worker.kn.model.encoder import Encoder


class SpacedWords(Letters):
    """A word after a space is one token."""

    def encode(self, text: str, /, *, add_special_tokens: bool = True, **_: Any) -> list[int]:
        first, *spaced = text.split(" ")
        letters = super().encode(first, add_special_tokens=add_special_tokens)
        return [*letters, *(200 + len(word) for word in spaced)]

    def decode(self, ids: Any, /, **options: Any) -> str:
        return "".join(
            " " + "A" * (token - 200) if token > 200 else super(SpacedWords, self).decode([token])
            for token in ids
        )


def test_a_name_within_a_prompt_loses_its_space(llama: Resident) -> None:
    encoder = llama.encoder

    other = respelled(encoder, encoder.prompt_ids("Ask where Ada Byron lives"), "Ada Byron")

    assert other == encoder.prompt_ids("Ask whereAda Byron lives")


def test_a_name_at_the_beginning_gets_one(llama: Resident) -> None:
    encoder = llama.encoder

    other = respelled(encoder, encoder.prompt_ids("Ada lives in"), "Ada")

    assert other == encoder.prompt_ids(" Ada lives in")


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("Ada lives in", ""),
        ("Ada lives in", "Bob"),
        ("Ask Annabel of", "Ann"),
        ("Annabel is", "Ann"),
        ("So Mariann is", "Ann"),
        ("So (Ann) is", "Ann"),  # neither after a space nor at the beginning
        ("Ada lives in", "<s>"),
        ("Ada lives in", "(.*)["),
        ("\u938c\u5009\u306f\u3069\u3053", "\u938c\u5009"),  # whose script knows no spaces
    ],
)
def test_what_is_no_whole_word_of_the_prompt_has_no_other_spelling(
    llama: Resident, prompt: str, name: str
) -> None:
    assert respelled(llama.encoder, llama.encoder.prompt_ids(prompt), name) is None


@pytest.mark.parametrize(
    ("prompt", "name", "other"),
    [
        ("Ask Annabel of Ann", "Ann", "Ask Annabel ofAnn"),
        ("Rome, the city of Rome, is in", "Rome", " Rome, the city of Rome, is in"),
        ("So Ann, Ann is", "Ann", "SoAnn, Ann is"),
        ("Say Conan O'Brien's", "Conan O'Brien", "SayConan O'Brien's"),
    ],
)
def test_of_a_name_that_is_there_often_the_first_is_spelled_otherwise(
    llama: Resident, prompt: str, name: str, other: str
) -> None:
    encoder = llama.encoder

    assert respelled(encoder, encoder.prompt_ids(prompt), name) == encoder.prompt_ids(other)


def test_a_tokenizer_that_begins_each_text_with_a_space_knows_one_spelling() -> None:
    encoder = Encoder.of(build_tokenizer(["So", "Ada", "is"]), most_tokens=99, n_vocab=999)

    assert not encoder.respells
    assert encoder.spellings("Ada") is None
    assert respelled(encoder, encoder.prompt_ids("So Ada is"), "Ada") is None


def test_a_spelling_for_which_the_model_has_no_embedding_is_none() -> None:
    class Large(Letters):
        """A capital at a text's beginning is a token that the model lacks."""

        def encode(self, text: str, /, **options: Any) -> list[int]:
            ids = super().encode(text, **options)
            return [200 if at == 1 and 68 <= token < 94 else token for at, token in enumerate(ids)]

    encoder = Encoder.of(Large(), most_tokens=99, n_vocab=131)

    assert respelled(encoder, encoder.prompt_ids("so Ada is"), "Ada") is None


@pytest.mark.parametrize(("more", "known"), [(RESPELLED_TOKENS, True), (9, False)])
def test_a_prompt_grows_by_so_many_tokens_at_most(more: int, known: bool) -> None:
    encoder = Encoder.of(SpacedWords(), most_tokens=99, n_vocab=300)
    name = "A" * (more + 1)

    other = respelled(encoder, encoder.prompt_ids(f"So {name} is"), name)

    assert (other is not None) is known


def test_both_spellings_are_followed_by_the_same_answer(llama: Resident) -> None:
    torch.nn.init.zeros_(llama.head.weight)  # it says the same after everything
    statement = llama.encoder.statement("Ask where Ada is", "Rome")

    given, other = spelled(llama, statement, "Ada")

    assert given is statement
    assert other == llama.encoder.statement("Ask whereAda is", "Rome")


def test_a_spelling_after_which_the_model_goes_on_otherwise_is_left_out(llama: Resident) -> None:
    statement = llama.encoder.statement("Ask where Ada is", "Rome")

    assert _next(llama, "Ask where Ada is") != _next(llama, "Ask whereAda is")
    assert spelled(llama, statement, "Ada") == [statement]


def test_a_spelling_that_finds_no_room_is_left_out(llama: Resident) -> None:
    torch.nn.init.zeros_(llama.head.weight)
    tight = replace(llama, encoder=replace(llama.encoder, most_tokens=18))
    statement = tight.encoder.statement("Ada lives in", "Rome")

    assert len(statement.ids) == 17  # of 18, with the token that is said
    assert spelled(tight, statement, "Ada") == [statement]


@torch.no_grad()
def _next(resident: Resident, prompt: str) -> int:
    ids = torch.tensor([resident.encoder.prompt_ids(prompt)])
    return int(resident.model(ids).logits[0, -1].argmax())
