"""A prompt as it is run, and the answer behind it, for all who count their tokens."""

import unicodedata

BLANKS = " \t\v\f\u00a0\u2007\u2009\u202f\u3000"
LINE_ENDS = "\n\r\u0085\u2028\u2029"
QUOTES = "\"'"
OPENING = {"Ps", "Pi"}  # categories of brackets and quotation marks

UNSPACED_SCRIPTS = frozenset(
    {"CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "BOPOMOFO"}
    | {"THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"}
)
"""Scripts that put no space between words, as the names of their characters tell them."""


def as_run(prompt: str) -> str:
    """The prompt without blanks at its end, since a space belongs to the answer's first token. Line
    breaks stay: many a chat template ends in one."""
    return prompt.rstrip(BLANKS)


def followed(prompt: str, answer: str) -> str:
    """The prompt with an answer behind it, after a space where one is written."""
    before = as_run(prompt)
    return before + (" " if _is_spaced(before) else "") + answer.strip()


def _is_spaced(before: str) -> bool:
    """Whether a space is written after a text: not on a new line, inside what a bracket or a
    quotation mark opens, or in a script without spaces."""
    last, second_last = before[-1:], before[-2:-1]
    if not last or last in LINE_ENDS or unicodedata.category(last) in OPENING:
        return False
    if last in QUOTES:
        return bool(second_last) and _is_spaced(second_last) and not second_last.isspace()
    return not is_of(last, UNSPACED_SCRIPTS) and not _is_wide_mark(last)


def is_of(letter: str, scripts: frozenset[str]) -> bool:
    """Whether a character is of one of these scripts."""
    name = unicodedata.name(letter, "").replace("-", " ")
    return not scripts.isdisjoint(name.split())


def _is_wide_mark(letter: str) -> bool:
    """Whether a mark is of Chinese or Japanese writing, which carries its space itself."""
    wide = unicodedata.east_asian_width(letter) in {"W", "F"}
    return wide and unicodedata.category(letter).startswith("P")
