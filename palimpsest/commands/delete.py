"""Take a checkpoint away; refused while another is built on it."""

import argparse
import json

from palimpsest.command import ExitCode, Session, add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint_id", metavar="CHECKPOINT", help="id of the checkpoint")
    add_json(parser, shape="what was deleted")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    with session.client() as client:
        client.checkpoints.delete(arguments.checkpoint_id)
    told = json.dumps({"deleted": arguments.checkpoint_id})
    session.console.result(told if arguments.json else f"deleted {arguments.checkpoint_id}")
    return ExitCode.OK
