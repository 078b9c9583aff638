"""What became of many edits, in a few figures."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from contract.wire.lifecycle import EditStatus
from contract.wire.views import EditView
from palimpsest.terminal.reports import state
from palimpsest.terminal.tables import columns

SCORES = {
    "rewrite": "reliability",
    "rephrase": "generalization",
    "locality": "locality",
    "portability": "portability",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counts by ending, and the mean of each metric over the edits that have it."""

    ended: Mapping[str, int]
    """`held`, `not held`, `canceled`, or `failed:` with the code."""
    refused: Mapping[str, int]
    """Requests that the service did not take, by code."""
    left_out: Mapping[str, int]
    """Records that could not be requests, by reason."""
    all_succeeded: bool
    metrics: Mapping[str, float]
    scored: Mapping[str, int]
    """How many edits each metric is the mean of."""
    warnings: Mapping[str, int]

    @classmethod
    def of(
        cls,
        edits: Sequence[EditView],
        *,
        refused: Iterable[str],
        left_out: Iterable[str],
        waited: bool,
    ) -> Self:
        """The figures; without `waited`, an accepted edit is as good as one can say."""
        codes, reasons = Counter(refused), Counter(left_out)
        scores = _scores(edits)
        succeeded = all(edit.status is EditStatus.SUCCEEDED or not waited for edit in edits)
        return cls(
            ended=dict(Counter(state(edit) for edit in edits)),
            refused=dict(codes),
            left_out=dict(reasons),
            all_succeeded=succeeded and not codes and not reasons,
            metrics={name: sum(values) / len(values) for name, values in scores.items()},
            scored={name: len(values) for name, values in scores.items()},
            warnings=dict(Counter(warned.code for edit in edits for warned in edit.warnings)),
        )

    def lines(self) -> list[str]:
        """The figures for a person."""
        n_edit = sum(self.ended.values())
        lines = [f"{_some(n_edit, 'edit')}: {_counted(self.ended)}" if n_edit else "no edits"]
        if self.refused:
            lines.append(f"refused by the service: {_counted(self.refused)}")
        if self.left_out:
            n_record = sum(self.left_out.values())
            lines.append(f"left out: {_some(n_record, 'record')} that cannot be requests")
            lines += [f"  {count} × {reason}" for reason, count in self.left_out.items()]
        if self.warnings:
            lines.append(f"warnings: {_counted(self.warnings)}")
        return lines + self._scores()

    def _scores(self) -> list[str]:
        """The field's four scores, as it defines them and in free generation."""
        kinds = [k for k in SCORES if {f"{k}_acc", f"{k}_exact"} & self.metrics.keys()]
        if not kinds:
            return []
        head = ("SCORE", "TEACHER FORCED", "FREE GENERATION", "EDITS")
        return ["", *columns([head, *(self._score(kind) for kind in kinds)])]

    def _score(self, kind: str) -> tuple[str, ...]:
        names = (f"{kind}_acc", f"{kind}_exact")
        told = [f"{self.metrics[name]:.3f}" if name in self.metrics else "–" for name in names]
        return (SCORES[kind], *told, str(max(self.scored.get(name, 0) for name in names)))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _scores(edits: Iterable[EditView]) -> dict[str, list[float]]:
    scored: dict[str, list[float]] = {}
    for edit in edits:
        if edit.metrics is not None:
            for name, value in edit.metrics.model_dump(exclude_none=True).items():
                scored.setdefault(name, []).append(value)
    return scored


def _counted(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {name}" for name, count in ordered)


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
