"""A prompt as it is run, and the answer appended to it: shared by all that count tokens."""

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
"""Scripts without spaces between words, as they occur in Unicode character names."""


def as_run(prompt: str) -> str:
    """The prompt without trailing blanks, since a space belongs to the answer's first token. Line
    breaks stay: many chat templates end in one."""
    return prompt.rstrip(BLANKS)


def distinct(prompts: Iterable[str]) -> tuple[str, ...]:
    """The prompts without those that are run as an earlier one is, in order."""
    first: dict[str, str] = {}
    for prompt in prompts:
        first.setdefault(as_run(prompt), prompt)
    return tuple(first.values())


def followed(prompt: str, answer: str) -> str:
    """The prompt and an answer, separated by a space where the script writes one."""
    before = as_run(prompt)
    return before + (" " if _is_spaced(before) else "") + answer.strip()


def _is_spaced(before: str) -> bool:
    """Whether a space is written after a text: not on a new line, after an opening or joining mark,
    or in a script without spaces."""
    if not before:
        return False
    last, stands_apart = before[-1], len(before) == 1 or _binds(before[-2])
    if last in QUOTES:
        return not stands_apart
    if last in JOINING:
        return stands_apart
    return not _binds(last)


def _binds(letter: str) -> bool:
    """Whether no space is written after a character."""
    opens = letter.isspace() or unicodedata.category(letter) in OPENING
    return opens or is_of(letter, UNSPACED_SCRIPTS) or _is_wide_mark(letter)


def is_of(letter: str, scripts: frozenset[str]) -> bool:
    """Whether a character belongs to one of these scripts."""
    name = unicodedata.name(letter, "").replace("-", " ")
    return not scripts.isdisjoint(name.split())


def _is_wide_mark(letter: str) -> bool:
    """Whether a mark is a full-width one of Chinese or Japanese, which includes its space."""
    wide = unicodedata.east_asian_width(letter) in {"W", "F"}
    return wide and unicodedata.category(letter).startswith("P")
