"""Whether admission is right: real requests through the service, to a worker held to a budget.

python -m bench.admission --data DIR [--requests 500] [--budget-mib 8] [--sabotage ITEM]

`DIR` holds CounterFact, ZsRE and WISE's long prompts (`counterfact-edit.json`,
`knowedit-zsre-500.json`, `wise-hallucination-edit.json`). An allocation beyond the budget fails, as
it would on a card; `calibrated` also runs reference texts, and gets 15 MiB more. Holds when no
allocation fails, no request is refused that fits at one layer per pass, and none is reduced that
fits with one layer more. `--sabotage ITEM` halves an item of the formula: the bench must then fail.
The model is a small random Llama on bytes; the API, Redis and the worker's code are real.
"""

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.admission.byte_llama import budgeted_editor
from bench.admission.figures import figures_of
from bench.admission.records import requests
from bench.admission.sabotage import sabotaged
from bench.admission.trial import MIB, Trial, redis_server
from bench.figures.report import report
from contract.wire.edits import Method

FOR_REFERENCES_BYTES = 15 * MIB


def main() -> int:
    arguments = _arguments()
    rows = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(sabotaged(arguments.sabotage))
        redis = stack.enter_context(redis_server(directory))
        budgeted = budgeted_editor()
        budget = arguments.budget_mib * MIB
        trial = Trial(redis, directory, budgeted, budget)
        began = time.perf_counter()
        for n, request in enumerate(requests(arguments.data, arguments.requests)):
            searches = request.method is Method.CALIBRATED
            trial.allow(budget + FOR_REFERENCES_BYTES * searches)
            rows.append(trial.run(request))
            print(f"{n:3d} {time.perf_counter() - began:5.0f} s {rows[-1]}", file=sys.stderr)
    name = "admission" if arguments.sabotage is None else "admission-sabotaged"
    return report(name, rows, figures_of(rows, sabotage=arguments.sabotage))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--requests", type=int, default=500, metavar="N")
    parser.add_argument("--budget-mib", type=int, default=8, metavar="N")
    parser.add_argument("--sabotage", metavar="ITEM", help="halve an item of the formula")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
