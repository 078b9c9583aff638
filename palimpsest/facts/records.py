"""The records of a file of facts: JSON, a list or one by itself, or JSON a line."""

import json
from dataclasses import dataclass
from typing import Any

from palimpsest.facts.datasets import unzipped
from palimpsest.facts.errors import UnreadableFactsError

LONG_NUMBER = "number of thousands of digits"


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that holds no record, though others of its file do."""

    reason: str


def parse(content: bytes) -> list[Any]:
    """The records of a file, each broken line as a `BrokenLine`; raises `UnreadableFactsError`
    when the file as a whole holds none."""
    try:
        found = _read(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UnreadableFactsError(f"it is not UTF-8 text: {error.reason}") from error
    except json.JSONDecodeError as error:
        raise UnreadableFactsError(f"it is not JSON: {error}") from error
    except RecursionError as error:
        raise UnreadableFactsError("it is nested too deeply") from error
    except ValueError as error:  # what Python takes for an attack
        raise UnreadableFactsError(f"it holds a {LONG_NUMBER}") from error
    if isinstance(found, dict):
        return list(unzipped(found)) if "prompts" in found else [found]
    if not isinstance(found, list):
        raise UnreadableFactsError("it is not a JSON list of facts")
    return found


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        lines = [] if text.lstrip().startswith("[") else _lines(text)
        if any(isinstance(line, dict) for line in lines):
            return lines
        raise


def _lines(text: str) -> list[Any]:
    # JSON's strings may hold what `splitlines` takes for the end of a line, such as U+2028.
    numbered = enumerate(text.split("\n"), start=1)
    return [_line(line, number) for number, line in numbered if line.strip()]


def _line(line: str, number: int) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        return BrokenLine(f"line {number} is not JSON: {error.msg} at column {error.colno}")
    except RecursionError:
        return BrokenLine(f"line {number} is nested too deeply")
    except ValueError:
        return BrokenLine(f"line {number} holds a {LONG_NUMBER}")
