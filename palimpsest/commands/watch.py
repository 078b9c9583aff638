"""Follow an edit: every event as it happens, then the result."""

import argparse
from collections.abc import Iterator

from contract.lifecycle import FINAL, EditStatus
from contract.views import EditEvent, EditView
from palimpsest.client import Client
from palimpsest.command import ExitCode, Session, add_json
from palimpsest.errors import UnexpectedAnswerError, UnreachableError
from palimpsest.reports import activity, details, event


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("edit_id", metavar="EDIT", help="id of the edit")
    add_json(parser, shape="each event, then the edit, one a line")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    console = session.console
    with session.client() as client:
        for seen in _followed(client, arguments.edit_id):
            if isinstance(seen, EditEvent) and arguments.json:
                console.result(seen.model_dump_json())
            elif isinstance(seen, EditEvent):
                # Progress comes often: a person sees it in the line that is replaced.
                (console.progress if seen.type == "progress" else console.result)(event(seen))
            elif not seen.status.is_final:
                console.progress(activity(seen))
            else:
                lines = [seen.model_dump_json()] if arguments.json else ["", *details(seen)]
                for line in lines:
                    console.result(line)
                succeeded = seen.status is EditStatus.SUCCEEDED
    return ExitCode.OK if succeeded else ExitCode.FAILED


def _followed(client: Client, edit_id: str) -> Iterator[EditEvent | EditView]:
    """Each event once, as the feed tells it, and the final edit last. While the edit is in line, of
    which no event tells, and where no feed gets through, it is looked at about every second."""
    heard: list[str] = []
    has_feed = True
    for edit in client.edits.follow(edit_id, every_s=1):
        for happened in client.edits.history(edit_id):
            if happened.id not in heard:
                heard.append(happened.id)
                yield happened
        if has_feed and edit.status not in (EditStatus.QUEUED, *FINAL):
            try:
                for happened in client.edits.events(edit_id, after=heard[-1] if heard else None):
                    heard.append(happened.id)
                    yield happened
            except (UnexpectedAnswerError, UnreachableError):
                has_feed = False
        else:
            yield edit
