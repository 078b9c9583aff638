"""Download a checkpoint, every file checked by its SHA-256."""

import argparse
from pathlib import Path

from contract.sizes import size
from contract.wire.ids import EDIT_PREFIX, checkpoint_id_of
from palimpsest.command import ExitCode, Session, UsageError, add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="of the checkpoint, or of the edit that made it")
    parser.add_argument(
        "directory",
        metavar="DIR",
        type=Path,
        nargs="?",
        help="where to; ./<checkpoint> if left out",
    )
    add_json(parser, shape="the checkpoint's manifest")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    wanted: str = arguments.id
    checkpoint_id = checkpoint_id_of(wanted) if wanted.startswith(EDIT_PREFIX) else wanted
    directory = arguments.directory or Path(checkpoint_id)
    with session.client() as client:
        try:
            checkpoint = client.checkpoints.download(checkpoint_id, directory)
        except OSError as error:
            raise UsageError(f"cannot write to {directory}: {error.strerror}") from error
    if arguments.json:
        session.console.result(checkpoint.model_dump_json(indent=2))
        return ExitCode.OK
    for file in checkpoint.files:
        session.console.result(f"{file.sha256[:12]}  {directory / file.path}")
    total = size(sum(file.size_bytes for file in checkpoint.files))
    session.console.note(
        f"{checkpoint_id}: {len(checkpoint.files)} files, {total}, as its manifest says"
    )
    return ExitCode.OK
