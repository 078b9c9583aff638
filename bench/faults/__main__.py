"""Every fault that the service promises to survive, injected into real processes and a real Redis.

    python -m bench.faults [--rounds N] [--only NAME …] [--pause S]

The demo model is edited by a supervised worker behind a real API. Each row is one injection:
`recovery_s` is the time from the fault (from its end, if it lasts) until the affected edit has
ended. An edit is lost if it was accepted and does not end; weights are tainted if an edit's files
differ in any byte from those of the same edit before any fault. Holds when nothing is lost,
published twice or tainted, every injection ends as promised, and no kill takes more than 15 s.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

from bench.faults.cases import CASES
from bench.faults.figures import figures_of
from bench.faults.injection import Case, Injection
from bench.figures.report import report
from bench.service.running import RunningService, make_demo_model, running_service, wait_until


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=1, help="how often each kill is injected")
    parser.add_argument("--only", nargs="*", default=[], help="faults, by how names begin")
    parser.add_argument("--pause", type=float, default=30.0, help="seconds for which Redis hangs")
    arguments = parser.parse_args(argv)
    model_dir = make_demo_model()
    cases = [c for c in CASES if not arguments.only or c.fault.startswith(tuple(arguments.only))]
    rows: list[dict[str, Any]] = []
    with running_service(model_dir=model_dir, PALIMPSEST_IDEMPOTENCY_TTL_S="3600") as service:
        injection = Injection(service, pause_s=arguments.pause)
        for case in cases:
            for _ in range(arguments.rounds if case.is_kill else 1):
                rows.append(_inject(case, injection, service))
                print(_line(rows[-1]), file=sys.stderr, flush=True)
    name = "faults-partial" if arguments.only else "faults"
    return report(name, rows, figures_of(rows, whole=not arguments.only))


def _inject(case: Case, injection: Injection, service: RunningService) -> dict[str, Any]:
    wait_until(service.is_ready)
    found = injection.run(case)
    began_s = time.monotonic()
    wait_until(service.is_ready)
    return (
        {"fault": case.fault, "case": case.name, "is_kill": case.is_kill}
        | found
        | {"ready_again_s": round(time.monotonic() - began_s, 2)}
    )


def _line(row: dict[str, Any]) -> str:
    verdict = "as promised" if row["as_promised"] else "NOT AS PROMISED"
    return (
        f"{row['fault']:<28} {row['case']:<24} {row['recovery_s']:6.2f} s  {verdict}  {row['note']}"
    )


if __name__ == "__main__":
    sys.exit(main())
