"""Facts as people keep them in files, turned into requests.

A file is a JSON list. Each record is a request as the API takes it, or CounterFact's flat form
(`prompt, target_new, subject, ground_truth, rephrase_prompt, locality_prompt,
locality_ground_truth`); fields that neither has are kept in the request's metadata.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticSerializationError

from contract.edits import EditRequest

PROBES = {
    "locality": ("locality_prompt", "locality_ground_truth"),
    "portability": ("portability_prompt", "portability_ground_truth"),
}
OWN_FIELDS = frozenset(EditRequest.model_fields)
FLAT_FIELDS = frozenset({"rephrase_prompt", *(name for pair in PROBES.values() for name in pair)})


class FactsError(Exception):
    """Root of what may be wrong with facts.

    FactsError
    ├── UnreadableFactsError
    └── UnusableFactError
    """


class UnreadableFactsError(FactsError):
    """The file as a whole is no list of facts."""


class UnusableFactError(FactsError):
    """A record cannot be made a request."""


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


def parse(content: bytes) -> list[Any]:
    """The records of a file; raises `UnreadableFactsError`."""
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UnreadableFactsError(f"it is not UTF-8 text: {error.reason}") from error
    except json.JSONDecodeError as error:
        raise UnreadableFactsError(f"it is not JSON: {error}") from error
    except RecursionError as error:
        raise UnreadableFactsError("it is nested too deeply") from error
    if not isinstance(found, list):
        raise UnreadableFactsError("it is not a JSON list of facts")
    return found


def select(
    records: Sequence[Any], *, offset: int, limit: int | None, overrides: Mapping[str, Any]
) -> Facts:
    """The records from `offset` on, at most `limit`; `overrides` win over what a record says."""
    stop = len(records) if limit is None else offset + limit
    usable: list[Fact] = []
    left_out: list[LeftOut] = []
    foreign: Counter[str] = Counter()
    for index, record in enumerate(records[offset:stop], start=offset):
        try:
            usable.append(Fact(index, to_request(record, overrides=overrides)))
        except UnusableFactError as error:
            left_out.append(LeftOut(index, str(error)))
        else:
            foreign.update(set(record) - OWN_FIELDS - FLAT_FIELDS)
    return Facts(tuple(usable), tuple(left_out), dict(foreign))


def to_request(record: Any, *, overrides: Mapping[str, Any]) -> EditRequest:
    """One record as a request; raises `UnusableFactError` with the reason."""
    if not isinstance(record, dict):
        raise UnusableFactError(f"it is not an object, but {json.dumps(record)[:40]}")
    try:
        request = EditRequest.model_validate(_merged(_fields(record), overrides))
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
    if _told(record.get("rephrase_prompt")):
        fields.setdefault("rephrase_prompts", _several(record["rephrase_prompt"]))
    for name, (prompt, truth) in PROBES.items():
        if _told(record.get(prompt)):
            fields.setdefault(name, _probes(record[prompt], record.get(truth)))
    fields["ground_truth"] = _first(record.get("ground_truth"))
    return {name: value for name, value in fields.items() if value is not None}


def _merged(fields: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = fields | dict(overrides)
    if "hparams" in fields and "hparams" in overrides:
        merged["hparams"] = _object(fields["hparams"], name="hparams") | overrides["hparams"]
    return merged


def _object(value: Any, *, name: str) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise UnusableFactError(f"{name}: it is not an object")
    return value or {}


def _probes(prompts: Any, truths: Any) -> list[dict[str, Any]]:
    asked = _several(prompts)
    answers = truths if isinstance(truths, list) and len(asked) > 1 else [truths] * len(asked)
    if len(answers) != len(asked):
        raise UnusableFactError(f"{len(asked)} probes have {len(answers)} answers")
    return [
        {"prompt": prompt, "ground_truth": _first(truth)}
        for prompt, truth in zip(asked, answers, strict=True)
    ]


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _first(value: Any) -> Any:
    """The first of several right answers; a blank one tells nothing."""
    first = (value[0] if value else None) if isinstance(value, list) else value
    return first if _told(first) else None


def _told(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None


def reasons(error: ValidationError) -> str:
    """What pydantic found wrong, field by field."""
    parts = []
    for problem in error.errors():
        where = ".".join(str(step) for step in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
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
