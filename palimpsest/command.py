"""What every command is given and what it gives back."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from palimpsest.client import Client
from palimpsest.terminal.console import Console

DEFAULT_URL = "http://127.0.0.1:8000"


class ExitCode(IntEnum):
    """How a command ended, for scripts."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    INTERRUPTED = 130


class UsageError(Exception):
    """The command cannot do what its arguments say."""


@dataclass(frozen=True, slots=True)
class Session:
    """The surroundings of one command."""

    console: Console
    environ: Mapping[str, str]
    client: Callable[[], Client]
    """Opens a client of the service that `--url` names; raises if nothing answers there."""

    @property
    def api_key(self) -> str | None:
        """The key to come in with, if the environment has one."""
        return self.environ.get("PALIMPSEST_API_KEY")


class Command(Protocol):
    """A module under `palimpsest.commands`; its docstring is the help."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, arguments: argparse.Namespace, session: Session) -> ExitCode: ...


def add_json(parser: argparse.ArgumentParser, *, shape: str) -> None:
    """Let the command answer in JSON."""
    parser.add_argument("--json", action="store_true", help=f"print {shape}")


def positive(text: str) -> int:
    """An argument that counts something, 1 or more."""
    return _at_least(text, 1)


def natural(text: str) -> int:
    """An argument that counts something, 0 or more."""
    return _at_least(text, 0)


def between(least: int, most: int) -> Callable[[str], int]:
    """An argument that counts something of which the service takes no more."""

    def count(text: str) -> int:
        number = _at_least(text, least)
        if number > most:
            raise argparse.ArgumentTypeError(f"{text!r} is more than {most}")
        return number

    return count


def _at_least(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of {least} or more")
    return number
