"""List checkpoints, newest first."""

import argparse

from contract.sizes import size
from contract.wire.checkpoints import CheckpointView
from palimpsest.command import ExitCode, Session, add_json, positive
from palimpsest.terminal.tables import columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="a page of N (20)")
    parser.add_argument("--cursor", help="go on after the page that named this cursor")
    add_json(parser, shape="the page as the service tells it")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    with session.client() as client:
        page = client.checkpoints.list(
            limit=arguments.limit, cursor=arguments.cursor, neurons=arguments.json
        )
    if arguments.json:
        session.console.result(page.model_dump_json())
        return ExitCode.OK
    head = ("CHECKPOINT", "CREATED", "MODEL", "OUTCOME", "SIZE", "EDITS")
    for line in columns([head, *map(_row, page.items)]):
        session.console.result(line)
    if page.next_cursor is not None:
        session.console.note(f"more: --cursor {page.next_cursor}")
    return ExitCode.OK


def _row(checkpoint: CheckpointView) -> tuple[str, ...]:
    stored = size(sum(file.size_bytes for file in checkpoint.files))
    edits = ", ".join(part.edit_id for part in checkpoint.parts) or checkpoint.edit_id or ""
    created = f"{checkpoint.created_at:%Y-%m-%d %H:%M}"
    outcome = checkpoint.result.outcome.value
    return (checkpoint.id, created, checkpoint.model, outcome, stored, edits)
