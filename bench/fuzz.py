"""Schemathesis on the API's whole description, with all checks, with keys and without.

    pip install "schemathesis>=4.32"          # in any environment; --program names its program
    python -m bench.fuzz [--seconds N] [--seed N] [--program PATH]

Holds when at least 5,000 cases ended without a server error, an undocumented status, content or
header, anything accepted that the schema forbids, or a route that is open without its key.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.figures.report import report
from bench.service.idle_worker import announce_idle_worker
from bench.service.running import running_service
from contract.keys import entry_of, new_key

FEWEST_CASES = 5_000
CONFIG = Path(__file__).with_name("schemathesis.toml")
_CASES = re.compile(r"(\d+) generated(?:, (\d+) found (\d+) unique failures)?")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=120, help="for each of the two runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", default=shutil.which("schemathesis"))
    arguments = parser.parse_args(argv)
    if arguments.program is None:
        parser.error("schemathesis is not on the PATH: name it with --program")
    rows = [_run(arguments, with_keys=with_keys) for with_keys in (False, True)]
    cases = sum(row["cases"] for row in rows)
    failures = sum(row["failures"] for row in rows)
    figures = {
        "bench": "fuzz",
        "seed": arguments.seed,
        "cases": cases,
        "failures": failures,
        "holds": cases >= FEWEST_CASES and failures == 0 and all(row["ended"] for row in rows),
    }
    return report("fuzz", rows, figures)


def _run(arguments: argparse.Namespace, *, with_keys: bool) -> dict[str, Any]:
    key = new_key()
    keys = {"PALIMPSEST_API_KEYS": entry_of("fuzz", key)} if with_keys else {}
    with running_service(model_dir=None, programs=("api",), api_key=key, **keys) as service:
        announce_idle_worker(service.ledger.presence)
        command = [
            *(arguments.program, "--config-file", str(CONFIG)),
            *("run", f"{service.url}/openapi.json", "--checks", "all", "--continue-on-failure"),
            *("--seed", str(arguments.seed), "--max-time", str(arguments.seconds)),
            *(("--header", f"Authorization: Bearer {key}") if with_keys else ()),
        ]
        process = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=service.root)
    print(process.stdout, file=sys.stderr)
    found = _CASES.search(process.stdout)
    return {
        "with_keys": with_keys,
        "cases": int(found[1]) if found else 0,
        "failures": int(found[3] or 0) if found else 0,
        "ended": process.returncode in (0, 1) and found is not None,
    }


if __name__ == "__main__":
    sys.exit(main())
