"""Ask for edits: one fact from flags, or a JSON file of facts; and follow them to their end.

A file holds a list, as JSON or a record a line. Each record is a request as the API takes it, or as
the field's data sets have it: CounterFact flat (prompt, target_new, subject, ground_truth,
rephrase_prompt, locality_prompt, …) or nested (requested_rewrite, …), ZsRE in MEND's form (src,
alt, answers, …), KnowEdit and EasyEdit's requests (locality and portability by kind), or EasyEdit's
arguments, a list each (prompts, target_new, …). What cannot be used is left out, and told.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contract.memory import VLLM_RANKS
from contract.wire.edits import HParams, Method
from palimpsest.command import ExitCode, Session, UsageError, add_json, natural, positive
from palimpsest.errors import PalimpsestError
from palimpsest.facts.delivery import deliver
from palimpsest.facts.errors import UnreadableFactsError
from palimpsest.facts.facts import Facts, reasons, select
from palimpsest.facts.records import parse
from palimpsest.facts.reporting import DeliveryReport

ONE_FACT = ("prompt", "target_new", "ground_truth", "subject")
FOR_EVERY_FACT = ("model", "method", "hparams", "base", "pad_rank")
SEVERAL = {"rephrase": "rephrase_prompts", "refine": "refine_prompts", "protect": "protect_prompts"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, nargs="?", help="JSON list of facts")
    _add_fact(parser.add_argument_group("one fact"))
    _add_settings(parser.add_argument_group("for every fact"))
    parser.add_argument("--offset", type=natural, default=0, metavar="N", help="skip N records")
    parser.add_argument("--limit", type=positive, metavar="N", help="take N records of the file")
    parser.add_argument(
        "--wait", action=argparse.BooleanOptionalAction, default=True, help="follow to the end"
    )
    add_json(parser, shape="each ended edit, then the summary, one a line")


def _add_fact(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--prompt", help="what the model is asked to continue")
    group.add_argument("--target-new", metavar="ANSWER", help="the answer to write")
    group.add_argument("--ground-truth", metavar="ANSWER", help="the answer to overwrite")
    group.add_argument("--subject", help="what the fact is about")
    for flag, purpose in (
        ("rephrase", "a paraphrase that only scores the edit"),
        ("refine", "a paraphrase that refines the choice of neurons"),
        ("protect", "a prompt whose answer must stay"),
    ):
        group.add_argument(
            f"--{flag}", metavar="PROMPT", action="append", help=f"{purpose}; may be repeated"
        )
    group.add_argument(
        "--locality",
        metavar=("PROMPT", "ANSWER"),
        nargs=2,
        action="append",
        help="an unrelated fact that only scores the edit; may be repeated",
    )


def _add_settings(group: argparse._ArgumentGroup) -> None:
    methods = [method.value for method in Method]
    known = ", ".join(HParams.model_fields)
    group.add_argument("--model", metavar="NAME", help="needed where several are served")
    group.add_argument("--method", choices=methods, help="how the fact is written")
    group.add_argument(
        "--hparams", type=hparams, metavar="K=V,…", help=f"such as steps=20,p=0.5; known: {known}"
    )
    group.add_argument("--base", metavar="CKPT", help="a checkpoint to make the edit on: a chain")
    group.add_argument(
        "--pad-rank",
        type=int,
        choices=VLLM_RANKS,
        metavar="N",
        help=f"the adapter's rank, for vLLM: {', '.join(map(str, VLLM_RANKS))}",
    )
    group.add_argument("--require-held", action="store_true", help="fail if the edit does not hold")


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    facts = _facts(arguments)
    report = DeliveryReport(facts, session.console, as_json=arguments.json)
    report.tell_left_out()
    try:
        with session.client() as client:
            steps = deliver(client.edits, facts.usable, wait=arguments.wait, watch=report.watch)
            for step in steps:
                report.tell(step, last=not arguments.wait)
    except (KeyboardInterrupt, PalimpsestError):
        report.tell_unfinished()
        raise
    summary = report.conclude(waited=arguments.wait)
    return ExitCode.OK if summary.all_succeeded else ExitCode.FAILED


def _facts(arguments: argparse.Namespace) -> Facts:
    """The facts of the file, or the one of the flags; raises `UsageError`."""
    flags = _flags(arguments)
    overrides = _overrides(arguments)
    if arguments.file is None:
        if "prompt" not in flags or "target_new" not in flags:
            raise UsageError("give a FILE, or --prompt and --target-new")
        facts = select([flags], offset=0, limit=None, overrides=overrides)
        if facts.left_out:
            raise UsageError(facts.left_out[0].reason)
        return facts
    if flags:
        raise UsageError("give a FILE or a fact by flags, not both")
    records = _records(arguments.file)
    if arguments.offset and arguments.offset >= len(records):
        raise UsageError(f"{arguments.file} has {len(records)} records: --offset leaves none")
    return select(records, offset=arguments.offset, limit=arguments.limit, overrides=overrides)


def _records(file: Path) -> list[Any]:
    try:
        return parse(file.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    except UnreadableFactsError as error:
        raise UsageError(f"cannot use {file}: {error}") from error


def _flags(arguments: argparse.Namespace) -> dict[str, Any]:
    told = {name: getattr(arguments, name) for name in ONE_FACT}
    told |= {field: getattr(arguments, flag) for flag, field in SEVERAL.items()}
    if arguments.locality:
        told["locality"] = [{"prompt": p, "ground_truth": truth} for p, truth in arguments.locality]
    return {name: value for name, value in told.items() if value is not None}


def _overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    told = {name: getattr(arguments, name) for name in FOR_EVERY_FACT}
    if arguments.require_held:
        told["require_held"] = True
    return {name: value for name, value in told.items() if value is not None}


def hparams(text: str) -> dict[str, Any]:
    """The hyper-parameters in `steps=20,p=0.5`; raises `UsageError`."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    found = {name.strip(): _value(value.strip()) for name, _, value in pairs}
    if unknown := found.keys() - HParams.model_fields:
        names, known = ", ".join(sorted(unknown)), ", ".join(HParams.model_fields)
        raise UsageError(f"--hparams: no such hyperparameter: {names}; known: {known}")
    try:
        HParams.model_validate(found)
    except ValidationError as error:
        raise UsageError(f"--hparams: {reasons(error)}") from error
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
