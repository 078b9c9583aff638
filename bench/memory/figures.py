"""How far predicted bytes are from observed ones, and whether that meets the goals."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LEAST_BYTES = 32 * 1024**2
WITHIN, WORST, TOO_LOW, ON_GPU = 0.03, 0.06, 0.01, 0.05
Row = dict[str, Any]


def error_of(row: Mapping[str, Any]) -> float:
    """The error of the prediction, relative to the observed bytes; negative where it is too low."""
    missed: int = row["predicted_bytes"] - row["observed_bytes"]
    observed: int = row["observed_bytes"]
    return missed / max(observed, LEAST_BYTES)


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def figures_of(rows: Sequence[Row]) -> dict[str, float]:
    """The errors of the rows, in summary."""
    errors = [error_of(row) for row in rows]
    return {
        "points": len(errors),
        "p95": round(percentile(map(abs, errors), 0.95), 5),
        "worst": round(max(map(abs, errors)), 5),
        "lowest": round(min(errors), 5),
    }


def traced_figures(rows: Sequence[Row]) -> dict[str, Any]:
    """The figures of both kinds of points, and whether all meet the goal."""
    kinds = {row["kind"] for row in rows}
    found = {kind: figures_of([r for r in rows if r["kind"] == kind]) for kind in sorted(kinds)}
    holds = all(
        f["p95"] <= WITHIN and f["worst"] <= WORST and f["lowest"] >= -TOO_LOW
        for f in found.values()
    )
    return {"bench": "memory --trace", **found, "holds": holds}


def observed_figures(rows: Sequence[Row]) -> dict[str, Any]:
    found = figures_of(rows)
    return {"bench": "memory --observe", **found, "holds": found["p95"] <= WITHIN}


def gpu_figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Finished edits are judged by their errors; none may run out of memory."""
    ended = [row for row in rows if "observed_bytes" in row]
    found = figures_of(ended) if ended else {"points": 0, "worst": 1.0}
    ran_out = sum(row["out_of_memory"] for row in rows)
    holds = bool(ended) and found["worst"] <= ON_GPU and not ran_out
    return {"bench": "memory --gpu", **found, "out_of_memory": ran_out, "holds": holds}
