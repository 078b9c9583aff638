"""Metrics in Prometheus' text format (version 0.0.4)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


class Kind(StrEnum):
    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with its values by label."""

    name: str
    kind: Kind
    meaning: str
    samples: Mapping[Labels, float]


def exposition(families: Iterable[Family]) -> str:
    return "".join(line + "\n" for family in families for line in _lines(family))


def labels(**values: str) -> Labels:
    return tuple(values.items())


def _lines(family: Family) -> Iterable[str]:
    yield f"# HELP {family.name} {family.meaning}"
    yield f"# TYPE {family.name} {family.kind}"
    for named, value in family.samples.items():
        told = ",".join(f'{name}="{_escaped(text)}"' for name, text in named)
        yield f"{family.name}{{{told}}} {value!r}" if told else f"{family.name} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
