"""`python -m worker`: load the model and serve it until told to stop."""

import os
import sys
from pathlib import Path

import torch
from redis.exceptions import RedisError
from transformers.utils import logging

from contract import logs
from contract.ledger.connection import RedisUrlError
from contract.ledger.errors import SchemaMismatchError
from contract.settings import Settings, SettingsError
from contract.store.errors import StoreUnavailableError, UnknownStoreError
from worker.attempt.failures import SERVICE_CODES, engine_codes
from worker.kn import Editor, KnError, load_editor
from worker.kn.methods.references import read
from worker.memory.device import memory_of
from worker.prerequisites import PrerequisiteError, checked
from worker.service import serve
from worker.spare import wait_until_needed

REFUSED, BROKEN = 2, 1


def main() -> int:
    """Run the worker that the environment describes; returns its exit status: 0 when it was told
    to stop, 2 when its settings cannot be served, 1 when it could not go on."""
    if not wait_until_needed(sys.argv, sys.stdin):
        return os.EX_OK
    try:
        settings = Settings.from_environment(os.environ)
        logs.configure(settings.log_level)
        model_dir = checked(settings)
        name = settings.name_of(model_dir)
        editor = _loaded(model_dir, settings)
    except (SettingsError, PrerequisiteError, RedisUrlError, UnknownStoreError, KnError) as error:
        print(f"the worker cannot start: {error}", file=sys.stderr)
        return REFUSED
    try:
        return serve(
            settings,
            editor,
            model=name,
            memory=memory_of(editor.device),
            codes={**SERVICE_CODES, **engine_codes()},
        )
    except (RedisError, StoreUnavailableError, SchemaMismatchError) as error:
        print(f"the worker cannot go on: {type(error).__name__}: {error}", file=sys.stderr)
        return BROKEN


def _loaded(model_dir: Path, settings: Settings) -> Editor:
    torch.set_num_threads(settings.threads or _default_threads())
    logging.disable_progress_bar()  # it would break into the lines of JSON
    return load_editor(
        model_dir,
        dtype=settings.dtype,
        device=settings.device,
        reference_prompts=read(settings.reference_file) if settings.reference_file else None,
    )


def _default_threads() -> int:
    """All cores but one, which the API and Redis need: threads that wait for a core only spin."""
    return max(1, (os.cpu_count() or 2) - 1)


if __name__ == "__main__":
    sys.exit(main())
