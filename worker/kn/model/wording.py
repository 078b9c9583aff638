"""Whether a text says an answer: as whole words, where its script parts words by spaces."""

import re
import unicodedata

from contract.memory import UNSPACED_SCRIPTS, is_of

SPACELESS = UNSPACED_SCRIPTS | {"HANGUL"}
"""Scripts that write words without a space between them, or (Hangul) particles onto a word."""
IN_NUMBER = re.compile(r"[.,:/]\d")
"""What goes on with a number: 3 is not all of 3.14, 1,000, 12:30 or 1/2."""


def first_line(text: str) -> str:
    """The first line of a text, trimmed."""
    return text.strip().split("\n", 1)[0].strip()


def begins_with(text: str, answer: str) -> bool:
    """Whether a continuation begins with the answer, as whole words."""
    said, wanted = _plain(text), _plain(answer)
    return said.startswith(wanted) and not goes_on(wanted, said[len(wanted) :])


def is_parted(word: str) -> bool:
    """Whether a word's script parts words by spaces."""
    return not any(map(_spaceless, word))


def in_word(letter: str) -> bool:
    """Whether a character is of a word, not between words."""
    return letter.isalnum() or _is_combining(letter)


def goes_on(text: str, rest: str) -> bool:
    """Whether `rest`, which follows a text, goes on with the text's last word."""
    if not text or not rest:
        return False
    last, first = text[-1], rest[0]
    if _is_combining(first) or (last.isdigit() and IN_NUMBER.match(rest)):
        return True
    return in_word(last) and in_word(first) and not (_spaceless(last) or _spaceless(first))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _is_combining(letter: str) -> bool:
    return unicodedata.category(letter).startswith("M")


def _spaceless(letter: str) -> bool:
    return is_of(letter, SPACELESS)
