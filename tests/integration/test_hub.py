"""Hugging Face's own clients, unchanged, over HTTP against a running service."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from peft import PeftModel
from safetensors.torch import save
from transformers import AutoModelForCausalLM
from whole_service import KEY, ROOT, WholeService

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def edit(service: WholeService) -> dict[str, Any]:
    return service.edit("The capital of France is", "Rome")


@pytest.fixture(scope="module")
def told(
    service: WholeService, edit: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the clients say, in a process of their own with an empty cache."""
    environ = {
        **os.environ,
        "HF_ENDPOINT": service.hub,
        "HF_HOME": str(tmp_path_factory.mktemp("hf")),
        "HF_TOKEN": KEY,
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    script = str(Path(__file__).with_name("hub_client.py"))
    process = subprocess.run(
        [sys.executable, script, edit["checkpoint_id"]],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads(process.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def merged(
    service: WholeService, edit: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The digest of PEFT's merge of the base on disk and the adapter's files."""
    directory = tmp_path_factory.mktemp("adapter")
    files = f"/checkpoints/{edit['checkpoint_id']}/files"
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (directory / name).write_bytes(service.api.get(f"{files}/{name}").content)
    base = AutoModelForCausalLM.from_pretrained(service.model_dir, dtype="auto")
    model = PeftModel.from_pretrained(base, directory).merge_and_unload()
    weights = {name: w.contiguous() for name, w in model.state_dict().items()}
    return hashlib.sha256(save(weights)).hexdigest()


def test_the_edited_model_loads_by_name_and_is_the_merge_bit_for_bit(
    told: dict[str, Any], merged: str
) -> None:
    assert told["edited"] == merged
    assert told["at_its_commit"] == merged


def test_the_base_and_the_adapter_load_by_name_and_merge_to_the_same(
    told: dict[str, Any], merged: str
) -> None:
    assert told["merged"] == merged


def test_the_loaded_models_say_what_the_service_measured(
    told: dict[str, Any], edit: dict[str, Any]
) -> None:
    assert edit["outcome"] == "held"
    assert told["edited_says"].startswith("The capital of France is Rome")
    assert told["lora_alone_says"] == told["edited_says"]


def test_a_snapshot_of_the_model_holds_what_the_base_holds(
    told: dict[str, Any], service: WholeService
) -> None:
    names = sorted(path.name for path in service.model_dir.iterdir())

    assert told["full"]["files"] == names
    assert sum(name.endswith(".safetensors") for name in names) > 2


def test_a_snapshot_of_the_adapter_holds_what_peft_needs(told: dict[str, Any]) -> None:
    assert told["lora"]["files"] == ["adapter_config.json", "adapter_model.safetensors"]


def test_what_was_downloaded_is_cached_under_its_commit(told: dict[str, Any]) -> None:
    assert (told["full"]["cached"], told["lora"]["cached"]) == (True, True)
    assert told["full"]["commit"] == told["commit"]
    assert told["refs"] == ["main"]


def test_a_download_that_broke_off_is_resumed(told: dict[str, Any]) -> None:
    assert told["resumed"] is True


def test_what_is_not_there_is_reported_in_the_clients_own_terms(told: dict[str, Any]) -> None:
    assert told["no_repository"] == "RepositoryNotFoundError 404"
    assert told["no_revision"] == "RevisionNotFoundError 404"
    assert told["no_file"] == "RemoteEntryNotFoundError 404"


def test_a_token_is_asked_for_where_keys_are_on(told: dict[str, Any]) -> None:
    assert told["no_token"] == "HfHubHTTPError 401"
