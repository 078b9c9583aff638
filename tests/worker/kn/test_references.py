"""Texts that the model should go on saying."""

import pytest

from contract.memory import SAMPLED_TEXTS
from worker.kn import Resident, references


def test_a_text_that_is_given_twice_counts_once(llama: Resident) -> None:
    once = references.encoded(llama, ["a sea", "of words"])

    assert references.encoded(llama, ["a sea", "of words", "a sea"]) == once


def test_a_text_that_is_sampled_twice_counts_once(
    llama: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "SAMPLED_TOKENS", 1)

    texts = references.sampled(llama)

    assert len({tuple(text) for text in texts}) == len(texts) < SAMPLED_TEXTS
