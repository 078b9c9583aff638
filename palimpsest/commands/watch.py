"""Follow an edit or a composition: every event as it happens, then the result."""

import argparse

from contract.wire.events import EventType
from contract.wire.ids import CHECKPOINT_PREFIX
from contract.wire.lifecycle import EditStatus
from contract.wire.views import EditEvent
from palimpsest.command import ExitCode, Session, add_json
from palimpsest.terminal.checkpoint_reports import details
from palimpsest.terminal.console import Console
from palimpsest.terminal.reports import activity, event
from palimpsest.watching import AnyJob, Jobs, watched


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="ID", help="id of an edit, or of the checkpoint being composed"
    )
    add_json(parser, shape="each event, then the edit or the checkpoint, one a line")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    with session.client() as client:
        is_composition = arguments.id.startswith(CHECKPOINT_PREFIX)
        jobs: Jobs[AnyJob] = client.checkpoints if is_composition else client.edits
        for seen in watched(jobs, arguments.id):
            _tell(seen, session.console, as_json=arguments.json)
    assert not isinstance(seen, EditEvent), "the job comes last, final"
    return ExitCode.OK if seen.status is EditStatus.SUCCEEDED else ExitCode.FAILED


def _tell(
    seen: EditEvent | AnyJob,
    console: Console,
    *,
    as_json: bool,
) -> None:
    if isinstance(seen, EditEvent) and as_json:
        console.result(seen.model_dump_json())
    elif isinstance(seen, EditEvent):
        # Progress comes often: a person sees it in the line that is replaced.
        (console.progress if seen.type == EventType.PROGRESS else console.result)(event(seen))
    elif not seen.status.is_final:
        console.progress(activity(seen))
    else:
        lines = [seen.model_dump_json()] if as_json else ["", *details(seen)]
        for line in lines:
            console.result(line)
