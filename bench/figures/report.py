"""A benchmark's report: raw rows in a file, and its figures as a last line of JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"


def report(name: str, rows: Sequence[Mapping[str, Any]], figures: Mapping[str, Any]) -> int:
    """Write `results/<name>.jsonl` and print the figures; returns 0 if they hold, else 1."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    print(json.dumps(figures, ensure_ascii=False))
    return 0 if figures["holds"] else 1
