"""What became of many edits, in a few figures."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from contract.lifecycle import EditStatus
from contract.views import EditView
from palimpsest.reports import verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counts by ending, and the mean of each metric over the edits that have it."""

    ended: Mapping[str, int]
    """`held`, `not held`, `canceled`, or the code of the failure."""
    refused: Mapping[str, int]
    """Requests that the service did not take, by code."""
    left_out: int
    """Records that could not be requests."""
    all_succeeded: bool
    metrics: Mapping[str, float]
    warnings: Mapping[str, int]

    @classmethod
    def of(
        cls, edits: Sequence[EditView], *, refused: Iterable[str], left_out: int, waited: bool
    ) -> Self:
        """The figures; without `waited`, an accepted edit is as good as one can say."""
        codes = Counter(refused)
        succeeded = all(edit.status is EditStatus.SUCCEEDED or not waited for edit in edits)
        return cls(
            ended=dict(Counter(_ending(edit) for edit in edits)),
            refused=dict(codes),
            left_out=left_out,
            all_succeeded=succeeded and not codes and not left_out,
            metrics=_means(edits),
            warnings=dict(Counter(warned.code for edit in edits for warned in edit.warnings)),
        )

    def lines(self) -> list[str]:
        """The figures for a person."""
        n_edit = sum(self.ended.values())
        lines = [f"{_some(n_edit, 'edit')}: {_counted(self.ended)}" if n_edit else "no edits"]
        if self.refused:
            lines.append(f"refused by the service: {_counted(self.refused)}")
        if self.left_out:
            lines.append(f"left out: {_some(self.left_out, 'record')} that cannot be requests")
        if self.metrics:
            means = " · ".join(f"{name} {value:.3f}" for name, value in self.metrics.items())
            lines.append(f"mean: {means}")
        if self.warnings:
            lines.append(f"warnings: {_counted(self.warnings)}")
        return lines

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _ending(edit: EditView) -> str:
    return edit.error.code.value if edit.error else verdict(edit)


def _means(edits: Iterable[EditView]) -> dict[str, float]:
    scored: dict[str, list[float]] = {}
    for edit in edits:
        if edit.metrics is not None:
            for name, value in edit.metrics.model_dump(exclude_none=True).items():
                scored.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in scored.items()}


def _counted(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {name}" for name, count in ordered)


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
