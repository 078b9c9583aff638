"""What the injections showed, and whether every promise was kept."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

MAX_RECOVERY_S = 15.0


def figures_of(rows: Sequence[dict[str, Any]], *, whole: bool) -> dict[str, Any]:
    by_fault: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_fault[row["fault"]].append(row)
    kills = [row["recovery_s"] for row in rows if row["is_kill"]]
    totals = {name: sum(row[name] for row in rows) for name in ("lost", "twice", "tainted")}
    unkept = [f"{row['fault']}: {row['case']}" for row in rows if not row["as_promised"]]
    slowest_s = max(kills, default=0.0)
    kept = not any(totals.values()) and not unkept and slowest_s <= MAX_RECOVERY_S
    return {
        "bench": "faults",
        "faults": {name: _summary(found) for name, found in by_fault.items()},
        "injected": len(rows),
        **totals,
        "not_as_promised": unkept,
        "slowest_recovery_from_a_kill_s": slowest_s,
        "whole": whole,
        "holds": kept and whole,
    }


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    times = [row["recovery_s"] for row in rows]
    return {"n": len(rows), "p50_s": round(median(times), 2), "max_s": max(times)}
