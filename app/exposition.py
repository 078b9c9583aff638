"""Metrics in Prometheus' text format (version 0.0.4)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from contract.ledger.tally import Buckets

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


class Kind(StrEnum):
    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with its values by label; those of a histogram are buckets."""

    name: str
    kind: Kind
    meaning: str
    samples: Mapping[Labels, float | Buckets]


def exposition(families: Iterable[Family]) -> str:
    return "".join(line + "\n" for family in families for line in _lines(family))


def labels(**values: str) -> Labels:
    return tuple(values.items())


def _lines(family: Family) -> Iterable[str]:
    yield f"# HELP {family.name} {family.meaning}"
    yield f"# TYPE {family.name} {family.kind}"
    for named, value in family.samples.items():
        if isinstance(value, Buckets):
            yield from _histogram(family.name, named, value)
        else:
            yield _line(family.name, named, value)


def _histogram(name: str, named: Labels, buckets: Buckets) -> Iterable[str]:
    for bound, n_edits in buckets.up_to.items():
        yield _line(f"{name}_bucket", (*named, ("le", _bound(bound))), n_edits)
    yield _line(f"{name}_sum", named, buckets.total)
    yield _line(f"{name}_count", named, buckets.up_to[inf])


def _bound(bound: float) -> str:
    return "+Inf" if bound == inf else f"{bound:.15g}"


def _line(name: str, named: Labels, value: float) -> str:
    told = ",".join(f'{label}="{_escaped(text)}"' for label, text in named)
    return f"{name}{{{told}}} {value!r}" if told else f"{name} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
