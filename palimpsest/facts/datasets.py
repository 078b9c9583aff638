"""The field's data sets as they are published, told in the terms of a request.

ROME, MEND and KnowEdit (the last as EasyEdit's own requests, too) differ in names and nesting
alone; what a form has beyond a request stays in the record under its name.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from palimpsest.facts.errors import UnreadableFactsError, UnusableFactError
from palimpsest.facts.probes import is_told, probes, probes_by_kind, several

Record = Mapping[str, Any]
Terms = dict[str, Any]
KINDS = ("locality", "portability")
BLANK = "{}"
_QUESTION, _ANSWER = "New Question", "New Answer"


class Form(StrEnum):
    """How a record is laid out."""

    PLAIN = "requests, or CounterFact's flat form"
    ROME = "CounterFact's nested form"
    MEND = "ZsRE in MEND's form"
    BY_KIND = "requests of KnowEdit or EasyEdit"


def form_of(record: Record) -> Form:
    """The form that the fields of a record tell of."""
    if "requested_rewrite" in record:
        return Form.ROME
    if "src" in record:
        return Form.MEND
    if any(isinstance(record.get(kind), Mapping) for kind in KINDS) or "labels" in record:
        return Form.BY_KIND
    return Form.PLAIN


def in_our_terms(record: Record) -> Terms:
    """The record with the fields of a request; raises `UnusableFactError`."""
    return _filled(_READERS[form_of(record)](record))


def _filled(told: Terms) -> Terms:
    """The subject where the prompt has `{}`, as CounterFact's templates do."""
    prompt, subject = told.get("prompt"), told.get("subject")
    if not isinstance(prompt, str) or BLANK not in prompt:
        return told
    if not isinstance(subject, str) or not is_told(subject):
        raise UnusableFactError(
            f"prompt: contains {BLANK}, but the record names no subject to fill it"
        )
    return told | {"prompt": prompt.replace(BLANK, subject)}


def _rome(record: Record) -> Terms:
    """`requested_rewrite{prompt with {}, subject, target_new.str, target_true.str}`. Neighbours
    share the old answer: that is what must stay."""
    rewrite = record["requested_rewrite"]
    if not isinstance(rewrite, Mapping):
        raise UnusableFactError("requested_rewrite: is not one rewrite")
    subject, old = rewrite.get("subject"), _string(rewrite.get("target_true"))
    prompt = rewrite.get("prompt")
    if not isinstance(prompt, str) or not isinstance(subject, str):
        raise UnusableFactError("requested_rewrite: has no prompt or no subject")
    told: Terms = {
        "prompt": prompt,
        "subject": subject,
        "target_new": _string(rewrite.get("target_new")),
        "ground_truth": old,
        "rephrase_prompts": record.get("paraphrase_prompts") or [],
        "locality": probes(
            record.get("neighborhood_prompts") or [], old, where="neighborhood_prompts"
        ),
    }
    if "relation_id" in rewrite:
        told["relation_id"] = rewrite["relation_id"]
    read = {"requested_rewrite", "paraphrase_prompts", "neighborhood_prompts"}
    return _rest(record, read) | told


def _string(target: Any) -> Any:
    return target.get("str") if isinstance(target, Mapping) else target


def _mend(record: Record) -> Terms:
    """`src, alt, answers, rephrase, loc, loc_ans`, with EasyEdit's `portability`."""
    told: Terms = {
        "prompt": record["src"],
        "target_new": record.get("alt"),
        "ground_truth": record.get("answers"),
        "rephrase_prompt": record.get("rephrase"),
        "locality_prompt": record.get("loc"),
        "locality_ground_truth": record.get("loc_ans"),
    }
    read = {"src", "alt", "answers", "rephrase", "loc", "loc_ans"}
    asked = record.get("portability")
    if isinstance(asked, Mapping) and _QUESTION in asked:
        told["portability"] = probes(asked[_QUESTION], asked.get(_ANSWER), where="portability")
        told = _rest(asked, {_QUESTION, _ANSWER}) | told
        read.add("portability")
    return _rest(record, read) | told


def _by_kind(record: Record) -> Terms:
    """A request but for `locality` and `portability`; WikiBio's `text, labels, concept`."""
    told: Terms = {
        kind: probes_by_kind(record[kind], where=kind)
        for kind in KINDS
        if isinstance(record.get(kind), Mapping)
    }
    names = {"text": "prompt", "labels": "target_new", "concept": "subject"}
    names["rephrase"] = "rephrase_prompt"
    renamed = {ours: record[theirs] for theirs, ours in names.items() if theirs in record}
    return _rest(record, {*told, *names}) | renamed | told


def _rest(record: Record, read: set[str]) -> Terms:
    return {name: value for name, value in record.items() if name not in read}


_READERS: dict[Form, Callable[[Record], Terms]] = {
    Form.PLAIN: dict,
    Form.ROME: _rome,
    Form.MEND: _mend,
    Form.BY_KIND: _by_kind,
}

_SINGULAR = {"prompts": "prompt", "rephrase_prompts": "rephrase_prompt"}


def unzipped(lists: Record) -> list[Terms]:
    """The arguments of EasyEdit's `editor.edit`, a list each, as one record an edit; raises
    `UnreadableFactsError` where lists are of different lengths."""
    n_edit = len(several(lists["prompts"]))
    records: list[Terms] = [{} for _ in range(n_edit)]
    for name, values in lists.items():
        if name.endswith("_inputs") and isinstance(values, Mapping):
            _spread_kinds(records, name.removesuffix("_inputs"), values)
        elif isinstance(values, list) or n_edit == 1:
            for record, value in zip(records, _one_each(name, values, n_edit), strict=True):
                record[_SINGULAR.get(name, name)] = value
    return records


def _spread_kinds(records: list[Terms], name: str, kinds: Record) -> None:
    for kind, told in kinds.items():
        if not isinstance(told, Mapping):
            raise UnreadableFactsError(f"{name}_inputs.{kind} is not an object of lists")
        where = f"{name}_inputs.{kind}"
        columns = {part: _one_each(where, told[part], len(records)) for part in told}
        for i, record in enumerate(records):
            probe = {part: values[i] for part, values in columns.items()}
            if probe.get("prompt") is not None:
                record.setdefault(name, {})[kind] = probe


def _one_each(name: str, values: Any, n_edit: int) -> list[Any]:
    found = several(values)
    if len(found) != n_edit:
        raise UnreadableFactsError(f"{name} has {len(found)} entries for {n_edit} prompts")
    return found
