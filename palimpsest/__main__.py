"""The `palimpsest` command line."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from types import FrameType
from typing import TextIO

import httpx

from palimpsest.client import Client
from palimpsest.command import DEFAULT_URL, Command, ExitCode, Session, UsageError
from palimpsest.commands import (
    cancel,
    checkpoints,
    compose,
    delete,
    demo,
    doctor,
    download,
    estimate,
    get,
    key,
    list,
    models,
    retry,
    submit,
    up,
    verify,
    watch,
    workers,
)
from palimpsest.doctor.survey import own_version
from palimpsest.errors import (
    PalimpsestError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
)
from palimpsest.local.interrupts import HANGUP, obeyed
from palimpsest.terminal import streams
from palimpsest.terminal.console import Console, UnwritableError
from palimpsest.transport.polling import PAUSE_S

TIMEOUT_S = 10.0
SERVERS: dict[str, Command] = {"up": up, "demo": demo, "estimate": estimate, "key": key}
CLIENTS: dict[str, Command] = {
    "submit": submit,
    "get": get,
    "list": list,
    "watch": watch,
    "cancel": cancel,
    "retry": retry,
    "checkpoints": checkpoints,
    "compose": compose,
    "download": download,
    "verify": verify,
    "delete": delete,
    "models": models,
    "workers": workers,
    "doctor": doctor,
}
EPILOG = """\
exit codes: 0 all succeeded, 1 some edit failed or something went wrong,
2 wrong usage or configuration, 3 the service cannot be reached, 130 interrupted"""


def main() -> int:
    """Run the command line of this process."""
    streams.open_missing()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an answer may not fit the terminal's encoding
    for number in set(obeyed()) - {signal.SIGINT}:
        signal.signal(number, _interrupt)
    try:
        return run(sys.argv[1:], environ=os.environ, out=sys.stdout, err=sys.stderr)
    finally:
        streams.flush()


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End a command as Ctrl-C does, so that what it has started is stopped in order."""
    if HANGUP is not None:
        signal.signal(HANGUP, signal.SIG_IGN)  # a terminal that is closed may say so twice
    raise KeyboardInterrupt


def run(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    out: TextIO,
    err: TextIO,
    transport: httpx.BaseTransport | None = None,
) -> int:
    """Run one command; returns its exit code."""
    console = Console(out, err)
    parser = build_parser(default_url=environ.get("PALIMPSEST_URL") or DEFAULT_URL)

    def open_client() -> Client:
        return _client(arguments.url, session.api_key, transport, sleep=_telling(console))

    session = Session(console=console, environ=environ, client=open_client)
    try:
        arguments = _parsed(parser, argv, console)
        return int(arguments.command.run(arguments, session))
    except KeyboardInterrupt:
        console.note("interrupted")
        return ExitCode.INTERRUPTED
    except SystemExit as leaving:
        return int(leaving.code or 0)
    except UnwritableError as error:
        if not error.was_left:
            console.note(f"palimpsest: {error}")
        return ExitCode.FAILED
    except UnauthorizedError as error:
        console.note(f"palimpsest: {error}; set it in PALIMPSEST_API_KEY")
        return _exit_code(error)
    except (UsageError, PalimpsestError) as error:
        console.note(f"palimpsest: {error}")
        return _exit_code(error)


def build_parser(*, default_url: str) -> argparse.ArgumentParser:
    """The arguments of every command."""
    parser = argparse.ArgumentParser(
        prog="palimpsest",
        description="Overwrite single facts in a resident language model.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {own_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in (SERVERS | CLIENTS).items():
        help_text = (command.__doc__ or "").strip()
        subparser = commands.add_parser(
            name,
            help=help_text.splitlines()[0],
            description=help_text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        subparser.set_defaults(command=command)
        if name in CLIENTS:
            where = f"of the service; PALIMPSEST_URL, or {DEFAULT_URL}"
            subparser.add_argument("--url", default=default_url, help=where)
        command.add_arguments(subparser)
    return parser


def _parsed(
    parser: argparse.ArgumentParser, argv: Sequence[str], console: Console
) -> argparse.Namespace:
    """Raises `SystemExit` once help was told, or what is wrong."""
    told = StringIO()
    try:
        # argparse says nothing of an answer that it could not write.
        with redirect_stdout(told):
            return parser.parse_args(argv)
    finally:
        if told.getvalue():
            console.result(told.getvalue().removesuffix("\n"))


def _telling(console: Console) -> Callable[[float], None]:
    """Sleeps, and tells a person when that is until a call is sent again."""

    def sleep(pause_s: float) -> None:
        if pause_s > PAUSE_S:
            console.progress(f"the service cannot answer now: asked again in {pause_s:.1f} s")
        time.sleep(pause_s)

    return sleep


def _client(
    url: str,
    api_key: str | None,
    transport: httpx.BaseTransport | None,
    *,
    sleep: Callable[[float], None],
) -> Client:
    try:
        client = Client(url, api_key=api_key, timeout_s=TIMEOUT_S, transport=transport, sleep=sleep)
    except ValueError as error:
        raise UsageError(str(error)) from error
    client.check_alive()
    return client


def _exit_code(error: UsageError | PalimpsestError) -> ExitCode:
    match error:
        case UsageError():
            return ExitCode.USAGE
        case UnreachableError() | UnavailableError() | UnexpectedAnswerError():
            return ExitCode.UNREACHABLE
        case _:
            return ExitCode.FAILED


if __name__ == "__main__":
    sys.exit(main())
