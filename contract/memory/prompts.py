"""A prompt as it is run, and the answer behind it, for all who count their tokens."""

import unicodedata
from collections.abc import Iterable

BLANKS = " \t\v\f\u00a0\u2007\u2009\u202f\u3000"
QUOTES = "\"'"
JOINING = "=/-\u2010\u2011\u2013\u2014"
OPENING = {"Ps", "Pi", "Sc"}  # categories of brackets, quotation marks and currencies

UNSPACED_SCRIPTS = frozenset(
    {"CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "BOPOMOFO"}
    | {"THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"}
)
"""Scripts that put no space between words, as the names of their characters tell them."""


def as_run(prompt: str) -> str:
    """The prompt without blanks at its end, since a space belongs to the answer's first token. Line
    breaks stay: many a chat template ends in one."""
    return prompt.rstrip(BLANKS)


def distinct(prompts: Iterable[str]) -> tuple[str, ...]:
    """Prompts of which no two are run alike, in order, each as it is given first."""
    first: dict[str, str] = {}
    for prompt in prompts:
        first.setdefault(as_run(prompt), prompt)
    return tuple(first.values())


def followed(prompt: str, answer: str) -> str:
    """The prompt with an answer behind it, after a space where one is written."""
    before = as_run(prompt)
    return before + (" " if _is_spaced(before) else "") + answer.strip()


def _is_spaced(before: str) -> bool:
    """Whether a space is written after a text: not on a new line, behind what opens or joins, or in
    a script without spaces."""
    if not before:
        return False
    last, stands_apart = before[-1], len(before) == 1 or _binds(before[-2])
    if last in QUOTES:
        return not stands_apart
    if last in JOINING:
        return stands_apart
    return not _binds(last)


def _binds(letter: str) -> bool:
    """Whether no space is written behind a character."""
    opens = letter.isspace() or unicodedata.category(letter) in OPENING
    return opens or is_of(letter, UNSPACED_SCRIPTS) or _is_wide_mark(letter)


def is_of(letter: str, scripts: frozenset[str]) -> bool:
    """Whether a character is of one of these scripts."""
    name = unicodedata.name(letter, "").replace("-", " ")
    return not scripts.isdisjoint(name.split())


def _is_wide_mark(letter: str) -> bool:
    """Whether a mark is of Chinese or Japanese writing, which carries its space itself."""
    wide = unicodedata.east_asian_width(letter) in {"W", "F"}
    return wide and unicodedata.category(letter).startswith("P")
