"""List edits, newest first."""

import argparse
from collections.abc import Iterator

from contract.wire.lifecycle import EditStatus
from contract.wire.views import EditPage
from palimpsest.client import Client
from palimpsest.command import ExitCode, Session, add_json, positive
from palimpsest.terminal.reports import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    states = [status.value for status in EditStatus]
    parser.add_argument("--status", choices=states, help="only edits with this status")
    parser.add_argument("--model", metavar="NAME", help="only edits of that model")
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="a page of N (20)")
    parser.add_argument("--cursor", help="go on after the page that named this cursor")
    parser.add_argument("--all", action="store_true", help="every page")
    add_json(parser, shape="each page as the service tells it, one a line")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    with session.client() as client:
        for page in _pages(client, arguments):
            _show(page, arguments, session)
    return ExitCode.OK


def _pages(client: Client, arguments: argparse.Namespace) -> Iterator[EditPage]:
    cursor = arguments.cursor
    while True:
        page = client.edits.list(
            model=arguments.model,
            status=EditStatus(arguments.status) if arguments.status else None,
            limit=arguments.limit,
            cursor=cursor,
            neurons=arguments.json,
        )
        yield page
        cursor = page.next_cursor
        if cursor is None or not arguments.all:
            return


def _show(page: EditPage, arguments: argparse.Namespace, session: Session) -> None:
    console = session.console
    if arguments.json:
        console.result(page.model_dump_json())
        return
    if not page.items:
        console.note("no edits")
        return
    for line in table(page):
        console.result(line)
    if page.next_cursor and not arguments.all:
        console.note(f"there are more: --cursor {page.next_cursor}")
