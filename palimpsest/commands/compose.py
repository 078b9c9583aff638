"""Put finished edits into one checkpoint and ask each again; undo one by leaving it out."""

import argparse

from contract.checkpoints import CheckpointView, CompositionView
from contract.composition import Composition
from contract.lifecycle import EditStatus
from palimpsest.command import ExitCode, Session, add_json
from palimpsest.tables import columns, one_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("edits", metavar="EDIT", nargs="+", help="ids of finished edits")
    parser.add_argument(
        "--require-held", action="store_true", help="it is a failure when one does not hold"
    )
    parser.add_argument(
        "--wait", action=argparse.BooleanOptionalAction, default=True, help="follow to the end"
    )
    add_json(parser, shape="the checkpoint as the service tells it")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    with session.client() as client:
        made = client.checkpoints.compose(arguments.edits, require_held=arguments.require_held)
        session.console.progress(f"composing {made.id}")
        seen = client.checkpoints.wait(made.id) if arguments.wait else made
    lines = [seen.model_dump_json()] if arguments.json else _lines(seen)
    for line in lines:
        session.console.result(line)
    good = seen.status is EditStatus.SUCCEEDED or not arguments.wait
    return ExitCode.OK if good else ExitCode.FAILED


def _lines(seen: CheckpointView | CompositionView) -> list[str]:
    if isinstance(seen, CompositionView):
        error = f": {seen.error.code}: {one_line(seen.error.message)}" if seen.error else ""
        return [f"{seen.id}  {seen.status.value}{error}"]
    head = f"{seen.id}  {seen.result.outcome.value.replace('_', ' ')}"
    if not isinstance(seen.result, Composition):
        return [head]
    rows = [
        (f"  {retest.edit_id}", retest.outcome.value, one_line(f"{retest.before} → {retest.after}"))
        for retest in seen.result.retests
    ]
    met = [f"  {c.kind.value}: {' and '.join(c.edits)}" for c in seen.result.conflicts]
    return [head, *columns(rows), *met]
