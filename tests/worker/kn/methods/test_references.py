"""Texts that the model should go on saying."""

import math
from typing import Any

import pytest
import torch
from tiny_models import FAMILIES, Letters

from contract.memory import SAMPLED_TEXTS
from worker.kn import BadRequestError, NonFiniteError, Resident
from worker.kn.methods import references


def test_a_text_that_is_given_twice_counts_once(llama: Resident) -> None:
    once = references.encoded(llama, ["a sea", "of words"])

    assert references.encoded(llama, ["a sea", "of words", "a sea"]) == once


@pytest.mark.parametrize("prompts", ["a sea", [1], ["a sea", None]])
def test_what_is_no_text_is_refused(llama: Resident, prompts: Any) -> None:
    with pytest.raises(BadRequestError, match="not several texts"):
        references.encoded(llama, prompts)


def test_a_text_that_is_sampled_twice_counts_once(
    llama: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "SAMPLED_TOKENS", 1)

    texts = references.sampled(llama)

    assert len({tuple(text) for text in texts}) == len(texts) < SAMPLED_TEXTS


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        (torch.float16, r"not finite in float16: load it in float32 \(`--dtype float32`, PALIMPS"),
        (torch.float32, "not finite in float32: its weights may be damaged"),
    ],
)
def test_a_model_whose_logits_overflow_is_refused(dtype: torch.dtype, message: str) -> None:
    resident = Resident.of(FAMILIES["llama-mha-untied"]().to(dtype), Letters())
    with torch.no_grad():
        resident.blocks[0].down_weight.fill_(math.inf)

    with pytest.raises(NonFiniteError, match=message):
        references.sampled(resident)


def test_sampled_texts_begin_with_bos(llama: Resident) -> None:
    assert {text[0] for text in references.sampled(llama)} == {Letters.bos_token_id}


def test_without_bos_half_of_the_sampled_texts_follow_another_and_half_begin_as_prompts_do(
    llama: Resident,
) -> None:
    own, after_another = _halves(Resident.of(llama.model, NoBos()))

    assert set(after_another) == {Letters.eos_token_id}
    letters = NoBos().decode(own)
    assert letters == letters.replace(" ", "")
    assert set(letters) == {chr(n) for n in range(128) if not chr(n).isspace()}


def test_a_token_that_is_written_in_another_way_begins_no_text(llama: Resident) -> None:
    own, _ = _halves(Resident.of(llama.model, Merging()))

    assert "t" not in set(NoBos().decode(own))


@pytest.mark.parametrize("end", [None, 131, [2, 3]])
def test_token_0_stands_for_an_end_that_the_model_does_not_know(
    llama: Resident, end: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NoBos, "eos_token_id", end)

    _, after_another = _halves(Resident.of(llama.model, NoBos()))

    assert set(after_another) == {0}


def test_where_no_token_stands_for_text_all_follow_another(llama: Resident) -> None:
    own, after_another = _halves(Resident.of(llama.model, Silent()))

    assert {*own, *after_another} == {Letters.eos_token_id}


def _halves(resident: Resident) -> tuple[list[int], list[int]]:
    """The first tokens of the texts that begin as prompts do, and of those after another text."""
    firsts = [start for (start,) in references._starts(resident, torch.Generator())]
    return firsts[: SAMPLED_TEXTS // 2], firsts[SAMPLED_TEXTS // 2 :]


class NoBos(Letters):
    """Letters alone."""

    def encode(self, text: str, /, **_: Any) -> list[int]:
        return super().encode(text, add_special_tokens=False)


class Merging(NoBos):
    """Writes what one token says, a t, with two others."""

    def encode(self, text: str, /, **_: Any) -> list[int]:
        return [99, 100] if text == "t" else super().encode(text)


class Silent(NoBos):
    """No token of it says anything by itself."""

    def decode(self, ids: Any, /, **_: Any) -> str:
        return ""
