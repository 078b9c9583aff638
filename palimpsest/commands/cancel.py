"""Cancel an edit or a composition that waits or runs."""

import argparse

from contract.wire.ids import CHECKPOINT_PREFIX
from contract.wire.views import EditView
from palimpsest.command import ExitCode, Session, add_json
from palimpsest.terminal.reports import verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="ID", help="id of an edit, or of the checkpoint being composed"
    )
    add_json(parser, shape="the edit or the composition as the service tells it")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    with session.client() as client:
        is_composition = arguments.id.startswith(CHECKPOINT_PREFIX)
        seen = (client.checkpoints if is_composition else client.edits).cancel(arguments.id)
    state = verdict(seen) if isinstance(seen, EditView) else seen.status.value
    told = seen.model_dump_json(indent=2) if arguments.json else f"{seen.id}  {state}"
    session.console.result(told)
    return ExitCode.OK
