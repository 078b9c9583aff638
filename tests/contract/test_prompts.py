"""A prompt as it is run, and where a space is written before its answer."""

import pytest

from contract.memory import as_run, followed


@pytest.mark.parametrize(
    ("prompt", "run"),
    [
        ("The capital is ", "The capital is"),
        ("The capital is \t\u3000", "The capital is"),
        ("Where?\nassistant\n", "Where?\nassistant\n"),
        ("Where?\n\n  ", "Where?\n\n"),
        ("Where? \r\n", "Where? \r\n"),
    ],
)
def test_blanks_at_the_end_are_left_out_and_line_breaks_stay(prompt: str, run: str) -> None:
    assert as_run(prompt) == run


@pytest.mark.parametrize(
    "prompt",
    [
        "The capital is",
        "The capital is ",
        "Where? Answer:",
        "2 + 2 =",
        "Where? -",
        'She said "yes"',
        "the teams' town is the teams'",
        "in Europe (the north)",
        "수도는",
    ],
)
def test_an_answer_follows_after_a_space(prompt: str) -> None:
    assert followed(prompt, " Rome ") == f"{prompt.rstrip()} Rome"


@pytest.mark.parametrize(
    "prompt",
    [
        "Where?\nassistant\n",
        'She lives in "',
        '"',
        '("',
        "in Europe (",
        "2+2=",
        "Notre-",
        "It costs $",
        "sie sagt „",
        "法国的首都是",
        "答：",
        "彼は「",
        "彼は「東京」",
        "フランスの首都は",
        "เมืองหลวงของฝรั่งเศสคือ",
    ],
)
def test_no_space_is_written_on_a_new_line_within_quotes_and_in_scripts_without(
    prompt: str,
) -> None:
    assert followed(prompt, " Rome ") == f"{prompt}Rome"


def test_without_an_answer_a_prompt_is_followed_by_nothing() -> None:
    assert as_run(followed("The capital is", "")) == "The capital is"
