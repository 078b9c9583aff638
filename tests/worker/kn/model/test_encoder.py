"""From texts to ids: what is refused, and where an answer begins."""

from typing import Any

import pytest
from tiny_models import Letters

from worker.kn.errors import BadRequestError, PromptTooLongError, UnreachableTargetError
from worker.kn.model.encoder import Encoder

ENCODER = Encoder.of(Letters(), most_tokens=10, n_vocab=131)


def test_the_answer_follows_after_a_space() -> None:
    statement = ENCODER.statement("ab", "c")

    assert statement.ids == (1, 100, 101, 35)
    assert statement.answers == (35, 102)


def test_white_space_between_prompt_and_answer_does_not_matter() -> None:
    assert ENCODER.statement("ab ", " c") == ENCODER.statement("ab", "c")


def test_a_line_break_stays_and_the_answer_begins_the_new_line() -> None:
    statement = ENCODER.statement("ab\n", "c")

    assert statement.ids == (1, 100, 101, 13)
    assert statement.answers == (102,)


def test_a_bos_that_the_text_tells_is_not_doubled() -> None:
    class Telling(Letters):
        """One that reads `^` as BOS."""

        def encode(self, text: str, /, **options: Any) -> list[int]:
            bos = super().encode("^", add_special_tokens=False)
            ids = super().encode(text, **options)
            return [1 if [i] == bos else i for i in ids]

    encoder = Encoder.of(Telling(), most_tokens=10, n_vocab=131)

    assert encoder.statement("^ab", "c") == ENCODER.statement("ab", "c")
    assert encoder.prompt_ids("a^^b") == [1, 100, 1, 1, 101]


def test_where_the_tokenizer_merges_across_the_seam_no_space_is_put_that_is_not_written() -> None:
    class Merging(Letters):
        """One that begins each text with a space, and to which `("` is one token."""

        def encode(self, text: str, /, **options: Any) -> list[int]:
            return super().encode(f" {text}".replace('("', "\x7f"), **options)

    encoder = Encoder.of(Merging(), most_tokens=10, n_vocab=131)

    statement = encoder.statement("f(", '"a"')

    assert statement.answers == tuple(Letters().encode('"a"', add_special_tokens=False))


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
