"""Requests made of published data sets."""

import json
from collections.abc import Iterator
from pathlib import Path

from contract.wire.edits import EditRequest
from palimpsest.facts.errors import UnusableFactError
from palimpsest.facts.facts import to_request

FILES = {
    "counterfact-edit.json": 0.5,
    "knowedit-zsre-500.json": 0.3,
    "wise-hallucination-edit.json": 0.2,
}
"""The share of the requests that each file provides."""
STEERING = ("prompt", "target_new", "ground_truth", "subject", "rephrase_prompt")
METHODS = ("paper", "easyedit", "paper", "calibrated", "paper")


def requests(data: Path, number: int) -> Iterator[EditRequest]:
    """Requests from each file in its share, with the methods in turn."""
    for name, share in FILES.items():
        records = json.loads((data / name).read_text(encoding="utf-8-sig"))
        taken = 0
        for n, record in enumerate(records):
            known = {field: record[field] for field in STEERING if record.get(field)}
            hparams = {"steps": (5, 10, 20)[n % 3], "adaptive_threshold": 0.3, "p": 0.0}
            given = {"method": METHODS[n % len(METHODS)], "hparams": hparams}
            try:
                request = to_request(known, overrides=given)
            except UnusableFactError:
                continue
            yield request
            taken += 1
            if taken >= round(share * number):
                break
