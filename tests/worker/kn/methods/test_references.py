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


def test_sampled_texts_begin_behind_another_text_where_there_is_no_bos(llama: Resident) -> None:
    without = Resident.of(llama.model, NoBos())

    assert {text[0] for text in references.sampled(without)} == {Letters.eos_token_id}


@pytest.mark.parametrize("end", [None, 131, [2, 3]])
def test_sampled_texts_begin_with_token_0_where_the_model_knows_no_end(
    llama: Resident, end: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NoBos, "eos_token_id", end)

    start = references._start(Resident.of(llama.model, NoBos()))

    assert start == [0]


class NoBos(Letters):
    """Letters alone."""

    def encode(self, text: str, /, **_: Any) -> list[int]:
        return super().encode(text, add_special_tokens=False)
