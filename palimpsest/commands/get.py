"""Show one edit or one checkpoint: what was asked, where it stands, what came of it."""

import argparse

from contract.wire.ids import CHECKPOINT_PREFIX
from palimpsest.client import Client
from palimpsest.command import ExitCode, Session, add_json
from palimpsest.terminal.checkpoint_reports import details
from palimpsest.watching import AnyJob


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="of the edit, or of the checkpoint")
    parser.add_argument("--wait", action="store_true", help="until it has ended")
    add_json(parser, shape="the edit or the checkpoint as the service tells it")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    with session.client() as client:
        seen = _seen(client, arguments.id, wait=arguments.wait)
    if arguments.json:
        session.console.result(seen.model_dump_json(indent=2))
        return ExitCode.OK
    for line in details(seen):
        session.console.result(line)
    return ExitCode.OK


def _seen(client: Client, job_id: str, *, wait: bool) -> AnyJob:
    if not job_id.startswith(CHECKPOINT_PREFIX):
        edit = client.edits.get(job_id)
        return client.edits.wait(job_id) if wait and not edit.status.is_final else edit
    return client.checkpoints.wait(job_id) if wait else client.checkpoints.look(job_id)
