"""List the models that are, or were, served."""

import argparse

from contract.sizes import size
from palimpsest.command import ExitCode, Session, add_json
from palimpsest.terminal.tables import columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser, shape="each model as the service tells it, one a line")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    with session.client() as client:
        models = client.models()
    rows: list[tuple[str, ...]] = [
        ("MODEL", "ARCHITECTURE", "DTYPE", "WEIGHTS", "WORKERS", "QUEUED")
    ]
    for model in models:
        told = (model.name, model.architecture, model.dtype, size(model.weights_bytes))
        rows.append((*told, str(model.workers), str(model.queued)))
    lines = [model.model_dump_json() for model in models] if arguments.json else columns(rows)
    for line in lines:
        session.console.result(line)
    return ExitCode.OK
