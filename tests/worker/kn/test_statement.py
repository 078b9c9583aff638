"""Prompts with the answers that follow them."""

import pytest
import torch
from tiny_models import Letters

from worker.kn.errors import PromptTooLongError, UnreachableTargetError
from worker.kn.statement import Batch, Encoder, Statement, alike

ENCODER = Encoder(Letters(), most_tokens=10)


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
        Encoder(Deaf(), most_tokens=10).statement("ab", "c")


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
