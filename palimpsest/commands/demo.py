"""Show the whole road on a small model: edit a fact over HTTP, then load the adapter with peft.

Makes the demo model on first use, starts everything as `palimpsest up` does, and stops it again.
The last line is JSON; exit code 0 says that the answer changed, that the downloaded adapter holds
it, and that an unrelated fact stayed.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from contract.settings import variable_of
from contract.wire.views import EditView
from palimpsest.client import Client
from palimpsest.command import ExitCode, Session, UsageError
from palimpsest.demonstration import PROMPTS, REQUEST, Demonstration
from palimpsest.local.addresses import PortTakenError, free_port
from palimpsest.local.data_dir import DataDir, DataDirUnusableError
from palimpsest.local.preconditions import (
    check_binding,
    check_installed,
    check_peft,
    check_redis,
    checked_settings,
)
from palimpsest.local.programs import dies_with_parent
from palimpsest.local.stack import PACKAGES
from palimpsest.terminal.reports import activity
from palimpsest.watching import shown


class StepFailedError(Exception):
    """A program that the demo needs did not do its part."""

    def __init__(self, step: str, *, returncode: int | None) -> None:
        self.returncode = returncode
        super().__init__(f"{step} failed with exit code {returncode}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, default=Path(".demo"), metavar="DIR")
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="of the API; 0 is a free one"
    )


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    check_installed()
    check_peft()
    root: Path = arguments.data_dir.resolve()
    model_dir = root / "models" / "demo"
    check(root, arguments.port, session)
    try:
        make_model(model_dir, session)
        serving = service(model_dir, root / "service", port=arguments.port, session=session)
        with serving as url, Client(url, api_key=session.api_key) as client:
            edit = make_edit(client, session)
            adapter = fetch_adapter(client, edit, root / "adapters")
        answers = ask_adapter(model_dir, adapter, session) if adapter else {}
    except StepFailedError as error:
        session.console.note(f"palimpsest: {error}")
        is_configuration = error.returncode == ExitCode.USAGE
        return ExitCode.USAGE if is_configuration else ExitCode.FAILED
    return show(Demonstration.of(edit, answers), session)


def check(root: Path, port: int, session: Session) -> None:
    """Tell early what would be found out once the model is made; raises `UsageError`."""
    settings = checked_settings({**session.environ, variable_of("port"): str(port)})
    check_redis(session.environ)
    try:
        free_port(settings.host, port)
        check_binding(settings)
        DataDir(root).check()
    except (DataDirUnusableError, PortTakenError) as error:
        raise UsageError(str(error)) from error


def make_model(model_dir: Path, session: Session) -> None:
    """Make the demo model, unless it is there already."""
    argv = (sys.executable, "-m", "worker.demo", "--out", str(model_dir))
    made = subprocess.run(
        argv,
        cwd=PACKAGES,
        env=dict(session.environ),
        stdout=subprocess.DEVNULL,  # where the model is, which we know
        preexec_fn=dies_with_parent(),
    )
    if made.returncode != 0:
        raise StepFailedError("making the demo model", returncode=made.returncode)


@contextmanager
def service(model_dir: Path, data_dir: Path, *, port: int, session: Session) -> Iterator[str]:
    """The URL of a `palimpsest up` that runs for the length of the block."""
    place = ("--model", str(model_dir), "--data-dir", str(data_dir), "--port", str(port))
    # The model is so small that threads would wait for each other longer than they work.
    process = subprocess.Popen(
        (sys.executable, "-m", "palimpsest", "up", *place, "--threads", "1", "--json"),
        cwd=PACKAGES,
        env=dict(session.environ),
        stdout=subprocess.PIPE,
        process_group=0,
        preexec_fn=dies_with_parent(),
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise StepFailedError("`palimpsest up`", returncode=process.wait())
        yield json.loads(line)["url"]
    finally:
        process.terminate()
        process.wait()


def make_edit(client: Client, session: Session) -> EditView:
    """Post the edit and follow it to its end."""
    posted = client.edits.create(REQUEST)
    session.console.note(f"posted {posted.id}: {REQUEST.prompt} … {REQUEST.target_new}")
    for edit in shown(client.edits, posted.id):
        session.console.progress(activity(edit))
    return edit


def fetch_adapter(client: Client, edit: EditView, directory: Path) -> Path | None:
    """Download what the edit published; None if it published nothing."""
    if edit.checkpoint_id is None:
        return None
    client.checkpoints.download(edit.checkpoint_id, directory / edit.checkpoint_id)
    return directory / edit.checkpoint_id


def ask_adapter(model_dir: Path, adapter: Path, session: Session) -> Mapping[str, str]:
    """What the model answers when peft puts the adapter on it, in a process of its own."""
    session.console.note(f"loading {adapter} with peft")
    asked = [word for prompt in PROMPTS.values() for word in ("--prompt", prompt)]
    place = ("--model", str(model_dir), "--adapter", str(adapter))
    said = subprocess.run(
        (sys.executable, "-m", "worker.demo.answers", *place, *asked),
        cwd=PACKAGES,
        env=dict(session.environ),
        stdout=subprocess.PIPE,
        preexec_fn=dies_with_parent(),
    )
    if said.returncode != 0:
        raise StepFailedError("loading the adapter with peft", returncode=said.returncode)
    answers: list[str] = json.loads(said.stdout.splitlines()[-1])
    return dict(zip(PROMPTS.values(), answers, strict=True))


def show(shown: Demonstration, session: Session) -> ExitCode:
    """Print the table, the judgement and the line of JSON."""
    failures = shown.failures()
    good = "the answer changed, the adapter holds it, and the unrelated fact stayed"
    judgement = [f"NOT AS PROMISED: {failure}" for failure in failures] or [good]
    for line in ["", *shown.table(), "", *judgement, *shown.remarks()]:
        session.console.result(line)
    session.console.result(json.dumps(shown.as_json(), ensure_ascii=False))
    return ExitCode.FAILED if failures else ExitCode.OK
