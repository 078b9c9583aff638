"""Prompts that only score, as data sets keep them: one or several, with one or several answers."""

import math
from collections.abc import Mapping
from typing import Any

from palimpsest.facts.errors import UnusableFactError

Probe = dict[str, Any]


def probes(prompts: Any, truths: Any, *, where: str) -> list[Probe]:
    """Each prompt with its answer, of which one alone may have several that are right; raises
    `UnusableFactError`, which names `where` they stand."""
    asked = several(prompts)
    answers = truths if isinstance(truths, list) and len(asked) > 1 else [truths] * len(asked)
    if len(answers) != len(asked):
        raise UnusableFactError(f"{where}: {len(asked)} prompts have {len(answers)} answers")
    return [
        {"prompt": prompt, "ground_truth": first(truth)}
        for prompt, truth in zip(asked, answers, strict=True)
        if is_told(prompt)
    ]


def probes_by_kind(kinds: Mapping[str, Any], *, where: str) -> list[Probe]:
    """Those of KnowEdit and EasyEdit, which lie under the names of their kinds:
    `{"Relation_Specificity": [{"prompt": …, "ground_truth": […]}]}`."""
    found: list[Probe] = []
    for kind, told in kinds.items():
        for one in several(told) if told is not None else ():
            if not isinstance(one, Mapping) or "prompt" not in one:
                raise UnusableFactError(f"{where}.{kind}: is not an object with a prompt")
            found += probes(one["prompt"], one.get("ground_truth"), where=f"{where}.{kind}")
    return found


def several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def first(value: Any) -> Any:
    """The first of several right answers; a blank one tells nothing."""
    while isinstance(value, list):
        value = value[0] if value else None
    return value if is_told(value) else None


def is_told(value: Any) -> bool:
    """Whether it is more than blank; NaN is how tables write what is absent."""
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and not (isinstance(value, float) and math.isnan(value))
