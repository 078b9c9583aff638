"""Foretell an edit's memory, without a service: by item, whether it fits a card, and what would.

The model is known by name, or by its config.json (or the directory that holds one). What EasyEdit's
own KN would take is told beside it.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from contract.admission import beside_easyedit, decide
from contract.cards import default_threshold
from contract.edits import EditRequest, HParams, Method
from contract.memory import DTYPE_BYTES, ModelShape
from contract.memory.known import KNOWN
from contract.views import Decision, Foretold
from contract.workload import fact_of, workload_of
from palimpsest.cards import budget_of, size_of
from palimpsest.command import ExitCode, Session, UsageError, add_json, natural, positive
from palimpsest.reports import size
from palimpsest.tables import columns

WORD = "w"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="a known name, a config.json, a directory")
    parser.add_argument("--card", type=size_of, required=True, help="its memory: 24GiB, 16GB …")
    parser.add_argument("--dtype", choices=sorted(DTYPE_BYTES), help="the config's, if unset")
    parser.add_argument("--method", choices=[m.value for m in Method], default="calibrated")
    parser.add_argument("--prompt-tokens", type=positive, default=20, metavar="N")
    parser.add_argument("--answer-tokens", type=positive, default=2, metavar="N")
    parser.add_argument("--refine-prompts", type=natural, default=0, metavar="N")
    parser.add_argument("--questions", type=natural, default=0, metavar="N", help="that only score")
    parser.add_argument("--steps", type=positive, default=20, metavar="N")
    parser.add_argument("--max-neurons", type=positive, metavar="N")
    add_json(parser, shape="the estimate, as the service tells it")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    config = _config(arguments.model)
    dtype = arguments.dtype or config.get("dtype") or config.get("torch_dtype") or "float32"
    if dtype not in DTYPE_BYTES:
        raise UsageError(f"dtype {dtype!r} is not one of {', '.join(sorted(DTYPE_BYTES))}")
    shape = _shape(config, DTYPE_BYTES[dtype])
    admission = _foretold(arguments, shape)
    if arguments.json:
        session.console.result(json.dumps(_told(arguments, shape, admission)))
    else:
        for line in _lines(arguments, shape, admission):
            session.console.result(line)
    return ExitCode.FAILED if admission.decision is Decision.REJECT else ExitCode.OK


def _config(model: str) -> dict[str, Any]:
    if model in KNOWN:
        return dict(KNOWN[model])
    path = Path(model)
    path = path / "config.json" if path.is_dir() else path
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        names = "\n  ".join(KNOWN)
        raise UsageError(f"{model!r} is no file, and none of\n  {names}") from None
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} is not a JSON object")
    return found


def _shape(config: dict[str, Any], dtype_bytes: int) -> ModelShape:
    try:
        return ModelShape.from_config(config, dtype_bytes=dtype_bytes)
    except KeyError as missing:
        raise UsageError(f"the config does not tell {missing}") from missing


def _request(arguments: argparse.Namespace) -> EditRequest:
    """A request whose every character is a token."""
    prompt = WORD * max(arguments.prompt_tokens - 1, 1)
    return EditRequest(
        prompt=prompt,
        target_new=WORD * arguments.answer_tokens,
        method=Method(arguments.method),
        refine_prompts=(prompt,) * arguments.refine_prompts,
        rephrase_prompts=(prompt,) * arguments.questions,
        hparams=HParams(steps=arguments.steps, max_neurons=arguments.max_neurons),
    )


def _foretold(arguments: argparse.Namespace, shape: ModelShape) -> Foretold:
    request = _request(arguments)
    admission = decide(
        shape,
        workload_of(request, len),
        budget_bytes=budget_of(arguments.card, weights_bytes=shape.weights_bytes),
        on_host=False,
        threshold=default_threshold(request, card_bytes=arguments.card),
    )
    return beside_easyedit(admission, shape, fact_of(request, len))


def _told(arguments: argparse.Namespace, shape: ModelShape, admission: Foretold) -> dict[str, Any]:
    return {
        "weights_bytes": shape.weights_bytes,
        "card_bytes": arguments.card,
        "admission": admission.model_dump(mode="json"),
    }


def _lines(arguments: argparse.Namespace, shape: ModelShape, admission: Foretold) -> list[str]:
    rows = [("weights", size(shape.weights_bytes), "model, dtype")]
    rows += [(item.name, size(item.bytes), item.depends_on) for item in admission.items]
    whole = shape.weights_bytes + admission.predicted_peak_bytes
    rows.append(("in all", size(whole), f"of {size(arguments.card)}"))
    applied = admission.applied
    settings = [f"{applied.layers_per_pass} of {shape.n_layer} layers a pass"]
    if applied.adaptive_threshold is not None:
        settings.append(f"threshold {applied.adaptive_threshold:g}")
    easyedit = size(admission.easyedit.peak_bytes)
    return [
        *columns(rows),
        "",
        f"{admission.decision.value}: {', '.join(settings)}",
        *(f"  {reason}" for reason in admission.reasons),
        f"EasyEdit's own KN would take {easyedit} for this fact, in float32",
    ]
