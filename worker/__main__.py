"""`python -m worker`: load the model and serve it until told to stop."""

import os
import sys
from pathlib import Path

import torch
from transformers.utils import logging

from contract.settings import Settings
from worker import logs
from worker.device_memory import memory_of
from worker.failures import SERVICE_CODES, engine_codes
from worker.kn import load_editor
from worker.service import serve
from worker.spare import is_needed


def main() -> int:
    """Run the worker that the environment describes; returns its exit status."""
    if not is_needed(sys.argv, sys.stdin):
        return os.EX_OK
    settings = Settings.from_environment(os.environ)
    logs.configure(settings.log_level)
    if settings.model_dir is None:
        print("PALIMPSEST_MODEL_DIR names no model directory", file=sys.stderr)
        return os.EX_USAGE
    torch.set_num_threads(settings.threads or _spare_cores())
    logging.disable_progress_bar()  # it would break into the lines of JSON
    editor = load_editor(
        settings.model_dir,
        dtype=settings.dtype,
        device=settings.device,
        reference_prompts=_reference_prompts(settings.reference_file),
    )
    return serve(
        settings,
        editor,
        model=settings.model_name or settings.model_dir.resolve().name,
        memory=memory_of(editor.device),
        codes={**SERVICE_CODES, **engine_codes()},
    )


def _spare_cores() -> int:
    """All cores but one, which the API and Redis need: threads that wait for a core only spin."""
    return max(1, (os.cpu_count() or 2) - 1)


def _reference_prompts(file: Path | None) -> list[str] | None:
    """One prompt a line; None leaves the choice to the engine."""
    if file is None:
        return None
    return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


if __name__ == "__main__":
    sys.exit(main())
