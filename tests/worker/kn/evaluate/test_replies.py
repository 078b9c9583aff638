"""What counts as said, and as the unedited model's own answer."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from tiny_models import FAMILIES, Letters

from worker.kn import EditRequest, Probe, Resident
from worker.kn.evaluate.questions import questions_of
from worker.kn.evaluate.replies import ask, ask_first


@pytest.mark.parametrize(("said", "says"), [("eit", False), (". ", True), ("月", True)])
def test_an_answer_is_said_where_its_last_word_ends(said: str, says: bool) -> None:
    resident = _reciting(f" Mars{said}")
    questions = questions_of(EditRequest(prompt="I", target_new="Mars"))

    (reply,) = ask(resident, questions, new_tokens=8)

    assert reply.ids[:5] == reply.wanted
    assert reply.says("Mars") is says


def test_an_answer_of_several_lines_is_said_by_its_tokens() -> None:
    resident = _reciting(" a\nb.")
    questions = questions_of(EditRequest(prompt="I", target_new="a\nb"))

    (reply,) = ask(resident, questions, new_tokens=8)

    assert reply.says("a\nb")


def test_an_answer_may_write_out_the_token_that_ends_the_text() -> None:
    resident = _reciting(" Mars|", Ended())
    questions = questions_of(EditRequest(prompt="I", target_new="Mars|"))

    (reply,) = ask(resident, questions, new_tokens=8)

    assert reply.end == Ended.eos_token_id
    assert reply.text == "Mars"
    assert reply.says("Mars|")


def test_the_models_own_answer_is_scored_by_the_tokens_that_it_said() -> None:
    resident = _reciting("way\nnot")
    request = EditRequest(prompt="I", target_new="b", locality=(Probe("I"),))

    questions, replies = ask_first(resident, questions_of(request), new_tokens=8)

    assert questions[1].expected == "way"
    assert replies[1].wanted == tuple(Known().encode("way", add_special_tokens=False))
    assert replies[1].accuracy == 1.0


class Known(Letters):
    """One id for each of a few characters, in the order of their codes."""

    KNOWN = sorted(set("I Marseit.way\nnotab月"))

    def encode(self, text: str, /, *, add_special_tokens: bool = True, **_: Any) -> list[int]:
        return [1] * add_special_tokens + [3 + self.KNOWN.index(letter) for letter in text]

    def decode(self, ids: Any, /, **_: Any) -> str:
        return "".join(self.KNOWN[i - 3] for i in ids if i > 2)


class Ended(Known):
    """With `|` at the end of a text, its end token is written out."""

    def encode(self, text: str, /, **options: Any) -> list[int]:
        ids = super().encode(text.removesuffix("|"), **options)
        return [*ids, self.eos_token_id] if text.endswith("|") else ids


@torch.no_grad()
def _reciting(text: str, tokenizer: Letters | None = None) -> Resident:
    """A model that goes on from "I" with the text: blocks add nothing, and the head reads off a
    token's own axis which token follows it."""
    resident = Resident.of(FAMILIES["llama-mha-untied"](), tokenizer or Known())
    for name, weight in resident.model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight", "lm_head.weight")):
            weight.zero_()
    resident.embeddings.copy_(torch.eye(*resident.embeddings.shape))
    ids = resident.tokenizer.encode(f"I{text}", add_special_tokens=False)
    for now, following in pairwise(ids):
        resident.head.weight[following, now] = 10.0
    return resident
