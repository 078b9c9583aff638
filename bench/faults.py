"""Every fault that the service promises to survive, injected into real processes and a real Redis.

    python -m bench.faults [--rounds N] [--only NAME …] [--pause S]

The demo model is edited by a supervised worker behind a real API. Each row is one injection:
`recovery_s` is the time from the fault (or from its end, where it lasts) until the edit it struck
has ended. An edit is lost when it was accepted and does not end; weights are tainted when an edit's
files are not, byte for byte, those of the same edit before any fault. Holds when nothing is lost,
published twice or tainted, every injection ends as promised, and no kill takes more than 15 s.
"""

import argparse
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.fault_cases import CASES
from bench.house import House, house, wait_until
from bench.injection import Case, Injection
from bench.report import report

MOST_RECOVERY_S = 15.0
MODEL = Path(".demo/models/demo")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=1, help="how often each kill is injected")
    parser.add_argument("--only", nargs="*", default=[], help="faults whose name begins so")
    parser.add_argument("--pause", type=float, default=30.0, help="seconds for which Redis hangs")
    arguments = parser.parse_args(argv)
    subprocess.run([sys.executable, "-m", "worker.demo", "--out", str(MODEL)], check=True, stdout=2)
    cases = [c for c in CASES if not arguments.only or c.fault.startswith(tuple(arguments.only))]
    rows: list[dict[str, Any]] = []
    with house(model_dir=MODEL.resolve(), PALIMPSEST_IDEMPOTENCY_TTL_S="3600") as site:
        injection = Injection(site, pause_s=arguments.pause)
        for case in cases:
            for _ in range(arguments.rounds if case.is_kill else 1):
                rows.append(_inject(case, injection, site))
                print(_line(rows[-1]), file=sys.stderr, flush=True)
    name = "faults-partial" if arguments.only else "faults"
    return report(name, rows, figures_of(rows, whole=not arguments.only))


def _inject(case: Case, injection: Injection, site: House) -> dict[str, Any]:
    wait_until(site.is_ready)
    found = injection.run(case)
    began_s = time.monotonic()
    wait_until(site.is_ready)
    return (
        {"fault": case.fault, "case": case.name, "is_kill": case.is_kill}
        | found
        | {"ready_again_s": round(time.monotonic() - began_s, 2)}
    )


def figures_of(rows: Sequence[dict[str, Any]], *, whole: bool) -> dict[str, Any]:
    by_fault: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_fault[row["fault"]].append(row)
    kills = [row["recovery_s"] for row in rows if row["is_kill"]]
    totals = {name: sum(row[name] for row in rows) for name in ("lost", "twice", "tainted")}
    unkept = [f"{row['fault']}: {row['case']}" for row in rows if not row["as_promised"]]
    slowest_s = max(kills, default=0.0)
    kept = not any(totals.values()) and not unkept and slowest_s <= MOST_RECOVERY_S
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


def _line(row: dict[str, Any]) -> str:
    verdict = "as promised" if row["as_promised"] else "NOT AS PROMISED"
    return (
        f"{row['fault']:<28} {row['case']:<24} {row['recovery_s']:6.2f} s  {verdict}  {row['note']}"
    )


if __name__ == "__main__":
    sys.exit(main())
