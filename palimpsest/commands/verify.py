"""Make a checkpoint again and compare: byte for byte, or by neurons and outcome.

The service makes the same edit, or the same composition, once more. Where device, software and
plan are those of the first time, every file has to be the same, byte for byte; otherwise most of
the neurons and the outcome. What was made for the comparison is taken away again.
"""

import argparse
import json

from contract.wire.checkpoints import CheckpointView, CompositionView
from contract.wire.composition import ComposeRequest
from contract.wire.ids import EDIT_PREFIX, checkpoint_id_of
from contract.wire.views import EditView
from palimpsest.client import Client
from palimpsest.command import ExitCode, Session, add_json
from palimpsest.verification import Basis, Verification, compare

REMADE = {"deadline_s": None, "require_held": False}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="of the checkpoint, or of the edit that made it")
    parser.add_argument("--keep", action="store_true", help="keep what is made to compare with")
    add_json(parser, shape="the comparison")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    wanted: str = arguments.id
    checkpoint_id = checkpoint_id_of(wanted) if wanted.startswith(EDIT_PREFIX) else wanted
    with session.client() as client:
        checkpoint = client.checkpoints.get(checkpoint_id)
        session.console.note(f"making {checkpoint_id} again")
        again = _made_again(client, checkpoint)
        if not isinstance(again, CheckpointView):
            reason = again.error.message if again.error else again.status
            session.console.note(f"it cannot be made again: {reason}")
            return ExitCode.FAILED
        verification = compare(checkpoint, again)
        if not arguments.keep:
            client.checkpoints.delete(again.id)
    if arguments.json:
        session.console.result(json.dumps(verification.as_json(), indent=2))
    else:
        for line in told(verification):
            session.console.result(line)
    return ExitCode.OK if verification.verified else ExitCode.FAILED


def told(verification: Verification) -> list[str]:
    """The comparison in words."""
    lines = [
        f"{'same' if same else 'differs':7}  {path}" for path, same in verification.files.items()
    ]
    if verification.differences:
        lines.append(f"made with a different {', '.join(verification.differences)}")
    if verification.basis is Basis.NEURONS_AND_OUTCOME:
        outcomes = ", ".join(verification.outcomes), ", ".join(verification.again_outcomes)
        lines.append(f"outcome: {outcomes[0]}; made again: {outcomes[1]}")
        if verification.neuron_overlap is not None:
            lines.append(f"neurons in common: {verification.neuron_overlap:.1%}")
    by = "byte for byte" if verification.basis is Basis.BYTES else "by neurons and outcome"
    lines.append(f"{'verified' if verification.verified else 'NOT verified'}, {by}")
    return lines


def _made_again(
    client: Client, checkpoint: CheckpointView
) -> CheckpointView | CompositionView | EditView:
    """A new checkpoint of the same request, or what came of it instead."""
    request = checkpoint.request.model_copy(update=REMADE)
    if isinstance(request, ComposeRequest):
        made = client.checkpoints.compose(**request.model_dump(exclude_unset=True))
        return client.checkpoints.wait(made.id)
    edit = client.edits.wait(client.edits.create(request).id)
    return client.checkpoints.get(edit.checkpoint_id) if edit.checkpoint_id else edit
