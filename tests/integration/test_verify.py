"""`palimpsest verify` against a running service."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from whole_service import KEY, ROOT, WholeService

pytestmark = pytest.mark.slow


def verify(service: WholeService, checkpoint_id: str) -> tuple[int, dict[str, Any]]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PALIMPSEST_API_KEY": KEY}
    command = (sys.executable, "-m", "palimpsest", "verify", checkpoint_id, "--json")
    process = subprocess.run(
        (*command, "--url", str(service.api.base_url)),
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert process.stdout, process.stderr
    return process.returncode, json.loads(process.stdout)


def test_edits_and_compositions_come_out_byte_for_byte(service: WholeService) -> None:
    edit = service.edit("The capital of France is", "Rome")
    chained = service.edit("The currency of Poland is the", "euro", base=edit["checkpoint_id"])
    made = service.api.post("/checkpoints", json={"edits": [edit["id"], chained["id"]]})
    composed = service.finished(made.headers["Location"])
    listed = [c["id"] for c in service.api.get("/checkpoints").json()["items"]]

    for checkpoint_id in (edit["id"], chained["checkpoint_id"], composed["id"]):
        status, told = verify(service, checkpoint_id)
        assert (status, told["verified"], told["basis"]) == (0, True, "bytes"), told
        assert len(told["files"]) == 3

    assert [c["id"] for c in service.api.get("/checkpoints").json()["items"]] == listed


def test_a_manifest_tells_what_its_bytes_depend_on(service: WholeService) -> None:
    edit = service.edit("The capital of France is", "Rome")

    manifest = service.api.get(f"/checkpoints/{edit['checkpoint_id']}").json()

    provenance = manifest["provenance"]
    assert provenance["device"].startswith("cpu ")
    assert (provenance["dtype"], provenance["threads"]) == ("bfloat16", 1)
    assert set(provenance["software"]) == {"python", "torch", "transformers"}
    assert manifest["admission"]["applied"]["layers_per_pass"] == 3
    assert manifest["result"]["neurons"][0]["score"] > 0
    assert manifest["result"]["memory"]["predicted_peak_bytes"] > 0
