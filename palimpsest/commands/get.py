"""Show one edit: what was asked, where it stands, what came of it."""

import argparse

from palimpsest.command import ExitCode, Session, add_json
from palimpsest.reports import details


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("edit_id", metavar="EDIT", help="id of the edit")
    parser.add_argument("--wait", action="store_true", help="until the edit has ended")
    add_json(parser, shape="the edit as the service tells it")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    with session.client() as client:
        edit = client.edits.get(arguments.edit_id)
        if arguments.wait and not edit.status.is_final:
            edit = client.edits.wait(arguments.edit_id)
    if arguments.json:
        session.console.result(edit.model_dump_json(indent=2))
    else:
        for line in details(edit):
            session.console.result(line)
    return ExitCode.OK
