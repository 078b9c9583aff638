"""Prompts with the answers that follow them."""

from typing import Any

import pytest
import torch
from tiny_models import Letters

from worker.kn.errors import BadRequestError, PromptTooLongError, UnreachableTargetError
from worker.kn.statement import Batch, Encoder, Statement, alike

ENCODER = Encoder.of(Letters(), most_tokens=10, n_vocab=131)


def test_the_last_answer_token_is_predicted_and_not_run() -> None:
    statement = Statement.of((1, 7, 8), (20, 21))

    assert statement == Statement(ids=(1, 7, 8, 20), positions=(2, 3), answers=(20, 21))


def test_the_answer_follows_after_a_space() -> None:
    statement = ENCODER.statement("ab", "c")

    assert statement.ids == (1, 100, 101, 35)
    assert statement.answers == (35, 102)


def test_white_space_between_prompt_and_answer_does_not_matter() -> None:
    assert ENCODER.statement("ab ", " c") == ENCODER.statement("ab", "c")


def test_an_answer_that_adds_nothing_is_refused() -> None:
    class Deaf(Letters):
        def encode(self, text: str, /, **_: object) -> list[int]:
            return [1]

    with pytest.raises(UnreachableTargetError):
        Encoder.of(Deaf(), most_tokens=10, n_vocab=131).statement("ab", "c")


def test_an_end_that_the_tokenizer_adds_does_not_stand_between_prompt_and_answer() -> None:
    class Ending(Letters):
        def encode(self, text: str, /, **options: Any) -> list[int]:
            ids = super().encode(text, **options)
            return [*ids, 2] if options.get("add_special_tokens", True) else ids

    encoder = Encoder.of(Ending(), most_tokens=10, n_vocab=131)

    assert encoder.statement("ab", "c") == ENCODER.statement("ab", "c")
    assert encoder.prompt_ids("") == [1]


class Ascii(Letters):
    """One that has no BOS, and knows no other letters."""

    def encode(self, text: str, /, **_: Any) -> list[int]:
        return super().encode(
            "".join(letter for letter in text if letter.isascii()), add_special_tokens=False
        )


def test_a_prompt_of_which_the_tokenizer_knows_no_part_is_refused() -> None:
    encoder = Encoder.of(Ascii(), most_tokens=10, n_vocab=131)

    with pytest.raises(BadRequestError, match="no part of '日本'"):
        encoder.prompt_ids("日本")
    with pytest.raises(UnreachableTargetError):
        encoder.statement("ab", "日本")


def test_a_token_that_the_model_has_no_embedding_for_is_refused() -> None:
    with pytest.raises(BadRequestError, match="'z' has a token"):
        Encoder.of(Letters(), most_tokens=10, n_vocab=125).prompt_ids("z")


def test_a_statement_must_fit_the_model() -> None:
    with pytest.raises(PromptTooLongError, match="take 11 tokens"):
        ENCODER.statement("abcdefg", "h" * 2)


def test_a_batch_is_padded_on_the_right() -> None:
    batch = Batch.of(
        [Statement.of((1, 5), (6,)), Statement.of((1, 7, 8), (9,))], torch.device("cpu")
    )

    assert batch.ids.tolist() == [[1, 5, 0], [1, 7, 8]]
    assert batch.at_answers(batch.ids).tolist() == [[5], [8]]


def test_items_alike_go_together_a_few_at_a_time() -> None:
    groups = alike(["a", "bb", "c", "d", "ee"], len, most=2)

    assert list(groups) == [[0, 2], [3], [1, 4]]
