"""Put finished edits into one checkpoint and ask each again; undo one by leaving it out."""

import argparse
from collections.abc import Sequence

from pydantic import ValidationError

from contract.wire.checkpoints import CheckpointView, CompositionView
from contract.wire.composition import ComposeRequest
from contract.wire.ids import is_edit_id
from contract.wire.lifecycle import EditStatus
from palimpsest.client import Client
from palimpsest.command import ExitCode, Session, UsageError, add_json
from palimpsest.facts.facts import reasons
from palimpsest.terminal.checkpoint_reports import outcome
from palimpsest.watching import shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("edits", metavar="EDIT", nargs="+", help="ids of finished edits")
    parser.add_argument("--require-held", action="store_true", help="fail if an edit does not hold")
    parser.add_argument(
        "--wait", action=argparse.BooleanOptionalAction, default=True, help="follow to the end"
    )
    add_json(parser, shape="the checkpoint as the service tells it")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    check_ids(arguments.edits)
    with session.client() as client:
        seen = made = _composed(client, arguments)
        if arguments.wait:
            for seen in shown(client.checkpoints, made.id):
                session.console.progress(outcome(seen)[0])
    lines = [seen.model_dump_json()] if arguments.json else outcome(seen)
    for line in lines:
        session.console.result(line)
    good = seen.status is EditStatus.SUCCEEDED or not arguments.wait
    return ExitCode.OK if good else ExitCode.FAILED


def check_ids(edits: Sequence[str]) -> None:
    """Raises `UsageError`, which names those that can be of no edit."""
    if malformed := [repr(name) for name in edits if not is_edit_id(name)]:
        are_not = "is not an edit id" if len(malformed) == 1 else "are not edit ids"
        raise UsageError(f"{', '.join(malformed)} {are_not} (edit- followed by 28 hex digits)")


def _composed(client: Client, arguments: argparse.Namespace) -> CheckpointView | CompositionView:
    try:
        ComposeRequest(edits=tuple(arguments.edits))
    except ValidationError as error:
        raise UsageError(reasons(error)) from error
    return client.checkpoints.compose(arguments.edits, require_held=arguments.require_held)
