"""`python -m worker.demo --out DIR`: make the demo model, unless it is there, and print DIR."""

import argparse
import sys
from contextlib import suppress
from pathlib import Path

import torch
from transformers.utils import logging

from worker.demo.errors import DemoError, ForeignDirectoryError, UnwritableDirectoryError
from worker.demo.making import make_demo

WIDTH = 40


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m worker.demo", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory of the model")
    # One thread is as fast, with so small a model, as two that wait for each other, and it gives
    # the same weights on a machine of any number of cores.
    torch.set_num_threads(1)
    logging.disable_progress_bar()  # its bar for saving the weights would break into ours
    directory: Path = parser.parse_args().out
    try:
        print(make_demo(directory, progress=show_progress))
    except (ForeignDirectoryError, UnwritableDirectoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (DemoError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def show_progress(done: int, total: int) -> None:
    """Draw a bar on the standard error stream, over the one before; in a log, a line a quarter.

    A terminal that was closed, or a full disk, does not stop the training.
    """
    with suppress(OSError):
        _draw(done, total)


def _draw(done: int, total: int) -> None:
    if not sys.stderr.isatty():
        if done * 4 // total > (done - 1) * 4 // total:
            print(f"training {done}/{total}", file=sys.stderr, flush=True)
        return
    filled = WIDTH * done // total
    bar = "#" * filled + "." * (WIDTH - filled)
    end = "\n" if done == total else ""
    print(f"\rtraining [{bar}] {done}/{total}", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
