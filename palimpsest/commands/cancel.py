"""Cancel an edit that waits or runs."""

import argparse

from palimpsest.command import ExitCode, Session, add_json
from palimpsest.reports import verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("edit_id", metavar="EDIT", help="id of the edit")
    add_json(parser, shape="the edit as the service tells it")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    with session.client() as client:
        edit = client.edits.cancel(arguments.edit_id)
    told = edit.model_dump_json(indent=2) if arguments.json else f"{edit.id}  {verdict(edit)}"
    session.console.result(told)
    return ExitCode.OK
