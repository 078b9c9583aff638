"""The engine alone: `python -m worker.kn edit --model DIR --requests FILE --out DIR`.

Prints one line of JSON per request, failed ones too. Exit status: 0 when every edit was made,
1 when one failed, 2 when the arguments, the model or the file of requests are no good.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

from contract.memory import ran_out
from worker.kn import BadRequestError, Editor, KnError, Method, load_editor
from worker.kn.methods.references import read
from worker.kn.model.layout import DTYPES

FAILED: dict[str, Any] = {
    "status": "failed",
    "outcome": None,
    "neurons": None,
    "before": None,
    "after": None,
    "metrics": None,
    "timings": None,
    "memory": None,
    "checkpoint": None,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    logging.disable_progress_bar()  # it would break into the lines of JSON
    try:
        records = _records(options.requests)
        references = read(options.reference) if options.reference else None
        options.out.mkdir(parents=True, exist_ok=True)
        editor = load_editor(
            options.model,
            dtype=options.dtype,
            device=options.device,
            reference_prompts=references,
        )
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except (KnError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    n_failed = 0
    try:
        for n, record in enumerate(records):
            answer = _answer(editor, record, options, options.out / f"edit-{n:04d}")
            n_failed += answer["status"] == FAILED["status"]
            print(json.dumps({"request": n} | answer), flush=True)
    except OSError as error:  # of printing: nobody reads the lines, or there is no room for them
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"error: the lines cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    return 1 if n_failed else 0


def _answer(
    editor: Editor, record: Any, options: argparse.Namespace, directory: Path
) -> dict[str, Any]:
    """What came of one record, under the service's names."""
    method = options.method
    try:
        if not isinstance(record, dict):
            raise BadRequestError("a request is a JSON object")
        if method:
            record = record | {"method": method}
        method = record.get("method") or Method.CALIBRATED.value
        result = editor.edit(editor.parse(record), layers_per_pass=options.layers_per_pass)
        _save(result.adapter.files(str(options.model)), directory)
        if options.pictures:
            result.picture(directory / "edit.svg")
    except (KnError, RuntimeError, MemoryError, OSError) as error:
        return FAILED | {"method": method, "error": _failure(error)}
    told = {"status": "succeeded", "method": method, "checkpoint": str(directory), "error": None}
    return told | result.as_json()


def _failure(error: Exception) -> dict[str, str]:
    if isinstance(error, KnError):
        return {"code": error.code, "message": str(error)}
    is_memory = isinstance(error, torch.OutOfMemoryError) or ran_out(error)
    return {"code": "gpu_oom" if is_memory else "internal", "message": str(error)}


def _save(files: dict[str, bytes], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)


def _records(path: Path) -> list[Any]:
    try:
        records = json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise BadRequestError(f"{path} is nested too deeply") from error
    if not isinstance(records, list):
        raise BadRequestError(f"{path} is not a JSON list of requests")
    return records


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker.kn", description=__doc__)
    edit = parser.add_subparsers(dest="command", required=True).add_parser(
        "edit", help="make each edit of a file on the pristine model and save its adapter"
    )
    edit.add_argument("--model", type=Path, required=True, help="Hugging Face model directory")
    edit.add_argument("--requests", type=Path, required=True, help="JSON list of edit requests")
    edit.add_argument("--out", type=Path, required=True, help="where adapters are saved")
    edit.add_argument("--method", choices=[m.value for m in Method], help="overrides the requests'")
    edit.add_argument("--dtype", choices=list(DTYPES), help="default: the checkpoint's own")
    edit.add_argument("--device", help="cpu, cuda, cuda:1, auto; default: a GPU if there is one")
    edit.add_argument("--reference", type=Path, help="reference prompts, one a line")
    edit.add_argument(
        "--layers-per-pass", type=_positive, help="fewer take less memory; default: all"
    )
    edit.add_argument("--pictures", action="store_true", help="draw edit.svg beside each adapter")
    edit.add_argument("--threads", type=_positive, help="CPU threads")
    return parser


if __name__ == "__main__":
    sys.exit(main())
