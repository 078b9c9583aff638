"""A whole service, as `palimpsest up` starts it, around a small model that was really taught."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from whole_service import KEY, ROOT, WholeService

SHARD_BYTES = 100_000
"""The weights are kept in several files of about this size."""


@pytest.fixture(scope="session")
def small_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of three layers in bfloat16 that knows 24 of the demo's facts, in several shards."""
    import torch

    from worker.demo.facts import FACTS
    from worker.demo.making import teach
    from worker.demo.training import Example, Recipe

    shape = {"n_layer": 3, "d_model": 64, "d_ff": 192, "n_head": 4, "n_kv_head": 2}
    recipe = Recipe(**shape, steps=200, learning_rate=5e-3, batch=16)
    examples = [Example(fact.prompts[0], fact.object) for fact in FACTS[:24]]
    taught = teach(examples, recipe, progress=lambda done, total: None)
    directory = tmp_path_factory.mktemp("models") / "small"
    taught.model.to(torch.bfloat16).save_pretrained(directory, max_shard_size=SHARD_BYTES)
    taught.tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def service(small_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeService]:
    data_dir = tmp_path_factory.mktemp("data")
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PALIMPSEST_API_KEYS": f"tests:{digest}",
        "PALIMPSEST_API_KEY": KEY,
    }
    place = ("--model", str(small_dir), "--data-dir", str(data_dir), "--port", "0")
    process = subprocess.Popen(
        (sys.executable, "-m", "palimpsest", "up", *place, "--threads", "1", "--json"),
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        bearer = {"Authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=url, headers=bearer, timeout=60) as api:
            yield WholeService(api, small_dir, data_dir)
    finally:
        process.terminate()
        process.wait()
