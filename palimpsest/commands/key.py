"""Make an API key: it is printed once, and only its digest is kept.

The digest's line goes into the file that PALIMPSEST_API_KEYS_FILE names, which the API reads again
whenever it changes; take the line out, and the key opens nothing any more. Callers send the key as
`Authorization: Bearer …`; this command line takes it from PALIMPSEST_API_KEY.
"""

import argparse
import json
from pathlib import Path

from contract.keys import Keys, KeysError, entry_of, new_key
from palimpsest.command import ExitCode, Session, UsageError, add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="whose key it is: letters, digits, '.', '_', '-'")
    parser.add_argument("--file", type=Path, metavar="FILE", help="append the line to this file")
    add_json(parser, shape="the key and its line as one object")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    key = new_key()
    try:
        entry = entry_of(arguments.name, key)
        if arguments.file is not None:
            _append(arguments.file, entry)
    except (KeysError, OSError, UnicodeDecodeError) as error:
        raise UsageError(str(error)) from error
    told = json.dumps({"key": key, "line": entry}) if arguments.json else key
    session.console.result(told)
    where = "add this line to" if arguments.file is None else f"added to {arguments.file}, for"
    session.console.note(f"{where} PALIMPSEST_API_KEYS_FILE: {entry}")
    return ExitCode.OK


def _append(file: Path, entry: str) -> None:
    file.touch(mode=0o600)
    before = file.read_text(encoding="utf-8")
    Keys.parse(before, source=str(file))  # what is no list of keys is left as it is
    gap = "" if not before or before.endswith("\n") else "\n"
    with file.open("a", encoding="utf-8") as keys:
        keys.write(f"{gap}{entry}\n")
