"""List the workers that are alive, and their memory."""

import argparse

from contract.sizes import size
from palimpsest.command import ExitCode, Session, add_json
from palimpsest.terminal.tables import columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser, shape="each worker as the service tells it, one a line")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    with session.client() as client:
        workers = client.workers()
    rows: list[tuple[str, ...]] = [
        ("WORKER", "MODEL", "DEVICE", "STATE", "FREE", "TOTAL", "BUDGET", "DONE")
    ]
    for worker in workers:
        figures = (worker.free_bytes, worker.total_bytes, worker.budget_bytes)
        told = (worker.id, worker.model, worker.device, worker.state.value)
        rows.append((*told, *map(size, figures), str(worker.edits_done)))
    lines = [worker.model_dump_json() for worker in workers] if arguments.json else columns(rows)
    for line in lines:
        session.console.result(line)
    return ExitCode.OK
