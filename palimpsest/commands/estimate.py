"""Estimate an edit's memory, without a service: by item, whether it fits a card, and what would.

The model is known by name, or by its config.json (or the directory that holds one). What EasyEdit's
own KN would take is told beside it.
"""

import argparse
import json
from typing import Any

from contract.admission.cards import default_threshold
from contract.admission.decision import decide, with_easyedit
from contract.admission.workload import fact_of, new_tokens_of, workload_of
from contract.memory import DTYPE_BYTES, ModelShape
from contract.sizes import size
from contract.wire.edits import (
    MAX_ANSWER_CHARS,
    MAX_NEURONS,
    MAX_PROBES,
    MAX_PROMPT_CHARS,
    MAX_PROMPTS,
    MAX_STEPS,
    EditRequest,
    HParams,
    Method,
    Operation,
    Probe,
)
from contract.wire.estimates import Decision, EditEstimate
from palimpsest.cards import budget_of, size_of
from palimpsest.command import ExitCode, Session, UsageError, add_json, between
from palimpsest.models.config import shape_of
from palimpsest.terminal.tables import columns

WORD, OTHER_WORD = "\u4e00", "\u5e00"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="a known name, a config.json, a directory")
    parser.add_argument("--card", type=size_of, required=True, help="its memory: 24GiB, 16GB …")
    parser.add_argument("--dtype", choices=sorted(DTYPE_BYTES), help="the config's, if unset")
    parser.add_argument("--method", choices=[m.value for m in Method], default="calibrated")
    parser.add_argument("--operation", choices=[o.value for o in Operation], default="edit")
    numbers = {
        "--prompt-tokens": (between(1, MAX_PROMPT_CHARS), 20, "BOS is one of them"),
        "--answer-tokens": (between(1, MAX_ANSWER_CHARS), 2, None),
        "--refine-prompts": (between(0, MAX_PROMPTS), 0, None),
        "--protect-prompts": (between(0, MAX_PROMPTS), 0, None),
        "--questions": (between(0, MAX_PROBES), 0, "that only score"),
        "--steps": (between(1, MAX_STEPS), 20, None),
        "--max-neurons": (between(1, MAX_NEURONS), None, "the method's, if unset"),
    }
    for name, (kind, default, told) in numbers.items():
        parser.add_argument(name, type=kind, default=default, metavar="N", help=told)
    add_json(parser, shape="the estimate, as the service tells it")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    shape = shape_of(arguments.model, dtype=arguments.dtype)
    _check_length(arguments, shape)
    admission = _estimate(arguments, shape)
    if arguments.json:
        session.console.result(json.dumps(_told(arguments, shape, admission)))
    else:
        for line in _lines(arguments, shape, admission):
            session.console.result(line)
    return ExitCode.FAILED if admission.decision is Decision.REJECT else ExitCode.OK


def _check_length(arguments: argparse.Namespace, shape: ModelShape) -> None:
    tokens = arguments.prompt_tokens + new_tokens_of(_request(arguments), len)
    if shape.n_position is not None and tokens > shape.n_position:
        raise UsageError(
            f"prompt and answer take up to {tokens} tokens; the model has room for "
            f"{shape.n_position}"
        )


def _request(arguments: argparse.Namespace) -> EditRequest:
    """A request whose every character is a token, in a script that puts no space between them."""
    length, target = max(arguments.prompt_tokens - 1, 1), WORD * arguments.answer_tokens
    prompt, *refining = (chr(ord(WORD) + i) * length for i in range(arguments.refine_prompts + 1))
    return EditRequest(
        prompt=prompt,
        target_new=target,
        method=Method(arguments.method),
        operation=Operation(arguments.operation),
        refine_prompts=tuple(refining),
        protect_prompts=(OTHER_WORD * length,) * arguments.protect_prompts,
        locality=(Probe(prompt=prompt, ground_truth=target),) * arguments.questions,
        hparams=HParams(steps=arguments.steps, max_neurons=arguments.max_neurons),
    )


def _estimate(arguments: argparse.Namespace, shape: ModelShape) -> EditEstimate:
    request = _request(arguments)
    admission = decide(
        shape,
        workload_of(request, len),
        budget_bytes=budget_of(arguments.card, weights_bytes=shape.weights_bytes),
        on_host=False,
        threshold=default_threshold(request, card_bytes=arguments.card),
    )
    return with_easyedit(admission, shape, fact_of(request, len))


def _told(
    arguments: argparse.Namespace, shape: ModelShape, admission: EditEstimate
) -> dict[str, Any]:
    return {
        "weights_bytes": shape.weights_bytes,
        "card_bytes": arguments.card,
        "admission": admission.model_dump(mode="json"),
    }


def _lines(arguments: argparse.Namespace, shape: ModelShape, admission: EditEstimate) -> list[str]:
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
