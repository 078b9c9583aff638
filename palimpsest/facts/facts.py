"""Facts as people keep them in files, turned into requests.

Each record of a file (`palimpsest.facts.records`) is a request as the API takes it, or in a form of
the field's data sets (`palimpsest.facts.datasets`); fields that are neither are kept in its
metadata.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticSerializationError

from contract.wire.edits import EditRequest
from palimpsest.facts.datasets import Form, form_of, in_our_terms
from palimpsest.facts.errors import UnusableFactError
from palimpsest.facts.probes import first, is_told, probes, several
from palimpsest.facts.records import BrokenLine
from palimpsest.terminal.tables import shorten

PROBES = {
    "locality": ("locality_prompt", "locality_ground_truth"),
    "portability": ("portability_prompt", "portability_ground_truth"),
}
NEEDED = frozenset({"prompt", "target_new"})
NAMES_COLUMNS = 60
OWN_FIELDS = frozenset(EditRequest.model_fields)
FLAT_FIELDS = frozenset({"rephrase_prompt", *(name for pair in PROBES.values() for name in pair)})


@dataclass(frozen=True, slots=True)
class Fact:
    """A request and its place in the file."""

    index: int
    request: EditRequest


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A record that cannot be a request, its place in the file, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file holds."""

    usable: tuple[Fact, ...]
    left_out: tuple[LeftOut, ...]
    kept_as_metadata: dict[str, int]
    """Fields that are none of ours, and in how many of the usable records they stand."""
    forms: dict[Form, int]
    """How the records are laid out, and how many so."""


def select(
    records: Sequence[Any], *, offset: int, limit: int | None, overrides: Mapping[str, Any]
) -> Facts:
    """The records from `offset` on, at most `limit`; `overrides` win over what a record says."""
    stop = len(records) if limit is None else offset + limit
    usable: list[Fact] = []
    left_out: list[LeftOut] = []
    foreign: Counter[str] = Counter()
    forms: Counter[Form] = Counter()
    for index, record in enumerate(records[offset:stop], start=offset):
        try:
            fields = _told_in_our_terms(record)
            usable.append(Fact(index, _request(fields, overrides)))
        except UnusableFactError as error:
            left_out.append(LeftOut(index, str(error)))
        else:
            foreign.update(fields.keys() - OWN_FIELDS - FLAT_FIELDS)
            forms[form_of(record)] += 1
    return Facts(tuple(usable), tuple(left_out), dict(foreign), dict(forms))


def to_request(record: Any, *, overrides: Mapping[str, Any]) -> EditRequest:
    """One record as a request; raises `UnusableFactError` with the reason."""
    return _request(_told_in_our_terms(record), overrides)


def _told_in_our_terms(record: Any) -> dict[str, Any]:
    if isinstance(record, BrokenLine):
        raise UnusableFactError(record.reason)
    if not isinstance(record, dict):
        raise UnusableFactError(f"it is not an object, but {json.dumps(record)[:40]}")
    told = in_our_terms(record)
    if not NEEDED & told.keys():
        names = shorten(", ".join(record), NAMES_COLUMNS) or "no fields"
        raise UnusableFactError(f"it has {names}; a record needs `prompt` and `target_new`")
    return told


def _request(told: Mapping[str, Any], overrides: Mapping[str, Any]) -> EditRequest:
    try:
        request = EditRequest.model_validate(_merged(_fields(told), overrides))
        request.model_dump_json()
    except ValidationError as error:
        raise UnusableFactError(reasons(error)) from error
    except (PydanticSerializationError, RecursionError) as error:
        raise UnusableFactError("metadata: cannot be written as JSON") from error
    return request


def _fields(record: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in record.items() if name in OWN_FIELDS}
    foreign = {k: v for k, v in record.items() if k not in OWN_FIELDS | FLAT_FIELDS}
    if foreign:
        fields["metadata"] = foreign | _object(record.get("metadata"), name="metadata")
    if is_told(record.get("rephrase_prompt")):
        _add(fields, "rephrase_prompts", several(record["rephrase_prompt"]))
    for name, (prompt, truth) in PROBES.items():
        if is_told(record.get(prompt)):
            _add(fields, name, probes(record[prompt], record.get(truth), where=prompt))
    fields["ground_truth"] = first(record.get("ground_truth"))
    return {name: value for name, value in fields.items() if value is not None}


def _add(fields: dict[str, Any], name: str, found: list[Any]) -> None:
    """A record may tell the same in both forms; what is no list is left to the check."""
    told = fields.get(name) or []
    fields[name] = [*told, *found] if isinstance(told, list) else told


def _merged(fields: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = fields | dict(overrides)
    if "hparams" in fields and "hparams" in overrides:
        merged["hparams"] = _object(fields["hparams"], name="hparams") | overrides["hparams"]
    return merged


def _object(value: Any, *, name: str) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise UnusableFactError(f"{name}: it is not an object")
    return value or {}


def reasons(error: ValidationError) -> str:
    """What pydantic found wrong, field by field."""
    parts = []
    for problem in error.errors():
        where = ".".join(str(step) for step in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
        if isinstance(problem["input"], str) and problem["type"].endswith(
            ("too_short", "too_long")
        ):
            what = _length(problem)
        parts.append(f"{where}: {what}" if where else what)
    return "; ".join(parts)


def _length(problem: ErrorDetails) -> str:
    if problem["input"] == "":
        return "is empty"
    return f"is longer than {problem['ctx']['max_length']} characters"
