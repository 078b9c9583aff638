"""Ask anew for an edit that failed or was canceled; prints the id of the new one."""

import argparse

from palimpsest.command import ExitCode, Session, add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("edit_id", metavar="EDIT", help="id of the edit that failed")
    add_json(parser, shape="the new edit as the service tells it")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    with session.client() as client:
        edit = client.edits.retry(arguments.edit_id)
    session.console.result(edit.model_dump_json(indent=2) if arguments.json else edit.id)
    return ExitCode.OK
