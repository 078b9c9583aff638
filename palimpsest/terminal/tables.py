"""Text for a terminal: cut to a width, free of control characters, in columns."""

import unicodedata
from collections.abc import Sequence

ELLIPSIS = "…"
BREAK = "↵"


def one_line(text: str) -> str:
    """The text on one line, whatever a model wrote into it."""
    spaced = " ".join(text.split())
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in spaced)


def with_breaks(text: str) -> str:
    """The text with a sign for each line break, which `one_line` would take for a blank; a chat
    template needs its own."""
    return text.replace("\r\n", "\n").replace("\n", BREAK)


def width(text: str) -> int:
    """Columns that a terminal gives to a text; East Asian wide characters take two."""
    return sum(_columns(char) for char in text)


def shorten(text: str, columns: int) -> str:
    """The text on one line, cut with an ellipsis where it is wider than `columns`."""
    line = one_line(text)
    if width(line) <= columns:
        return line
    kept, used = "", width(ELLIPSIS)
    for char in line:
        used += _columns(char)
        if used > columns:
            break
        kept += char
    return kept.rstrip() + ELLIPSIS


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines whose cells stand below each other, two spaces apart."""
    widths = [max(width(cell) for cell in cells) for cells in zip(*rows, strict=True)]
    return [_padded(row, widths).rstrip() for row in rows]


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(
        cell + " " * (room - width(cell)) for cell, room in zip(row, widths, strict=True)
    )


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
