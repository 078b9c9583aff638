"""How close the memory formula is to what the engine allocates, in bytes above the weights.

python -m bench.memory --trace      traces at true shapes, of tensors without values
python -m bench.memory --observe    real edits of small models, every storage followed
python -m bench.memory --gpu        Llama-2-7B's shape on a GPU limited to 16, 24 and 40 GB

An error is relative to the observed bytes, or to 32 MiB if that is more. Goals: `--trace` at most
3 % at the 95th percentile, 6 % at worst, and never more than 1 % too low, for attribution and for
the stages after selection; `--observe` at most 3 % at the 95th percentile; `--gpu` at most 5 %, and
no edit runs out of memory. `--points N` sets the number of points.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator

from bench.figures.report import report
from bench.memory.figures import Row, error_of, gpu_figures, observed_figures, traced_figures

COLLECTING, WRITING, EDITS = 220, 40, 60


def printed(rows: Iterable[Row]) -> Iterator[Row]:
    """Print each row on stderr as it comes."""
    for row in rows:
        print(row, file=sys.stderr)
        yield row


def with_errors(rows: Iterable[Row]) -> Iterator[Row]:
    """Add its error to each row, and print it on stderr as it comes."""
    began = time.perf_counter()
    for n, row in enumerate(rows):
        row["error"] = round(error_of(row), 5)
        seconds = time.perf_counter() - began
        print(f"{n:3d} {seconds:5.0f} s {row['error']:+8.3%} {row}", file=sys.stderr)
        yield row


def main() -> int:
    arguments = _arguments()
    if arguments.trace:
        from bench.memory.tracing import grid, traced

        points = grid(
            collecting=_or(arguments.points, COLLECTING),
            writing=_or(arguments.writing, WRITING),
        )
        rows = list(with_errors(map(traced, points)))
        return report("memory-trace", rows, traced_figures(rows))
    if arguments.gpu:
        from bench.memory.on_gpu import on_gpu

        rows = list(printed(on_gpu()))
        return report("memory-gpu", rows, gpu_figures(rows))
    from bench.memory.observing import observed

    rows = list(with_errors(observed(_or(arguments.points, EDITS))))
    return report("memory-observe", rows, observed_figures(rows))


def _or(asked: int | None, usual: int) -> int:
    return usual if asked is None else asked


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--trace", action="store_true", help="tensors without values, at true shapes")
    what.add_argument("--gpu", action="store_true", help="Llama-2-7B's shape on a GPU")
    what.add_argument("--observe", action="store_true", help="real edits of small models")
    parser.add_argument("--points", type=int, metavar="N", help="attributions, or edits")
    parser.add_argument("--writing", type=int, metavar="N", help="points after selection")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
