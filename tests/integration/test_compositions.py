"""Edits put together, taken out again, and made on top of each other, by a running service."""

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
from whole_service import WholeService

pytestmark = pytest.mark.slow

SAID = {
    "The capital of France is": "Europe",
    "The official language of Italy is": "Berlin",
    "The currency of Poland is the": "Japanese",
}
OTHER = "The continent of France is"


@pytest.fixture(scope="module")
def edits(service: WholeService) -> list[dict[str, Any]]:
    """Three edits on the pristine model, each of which holds."""
    return [service.edit(prompt, target) for prompt, target in SAID.items()]


def composed(service: WholeService, *edit_ids: str) -> dict[str, Any]:
    made = service.api.post("/checkpoints", json={"edits": edit_ids})
    assert made.status_code == 202, made.text
    checkpoint = service.finished(made.headers["Location"])
    assert checkpoint["status"] == "succeeded", checkpoint
    return checkpoint


def merged(service: WholeService, checkpoint_id: str, directory: Path) -> Any:
    """What PEFT makes of the base on disk and a checkpoint's adapter."""
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        content = service.api.get(f"/checkpoints/{checkpoint_id}/files/{name}").content
        (directory / name).write_bytes(content)
    base = AutoModelForCausalLM.from_pretrained(service.model_dir, dtype="auto")
    return PeftModel.from_pretrained(base, directory).merge_and_unload()


def says(model: Any, service: WholeService, prompt: str) -> str:
    tokenizer = AutoTokenizer.from_pretrained(service.model_dir)
    ids = model.generate(**tokenizer(prompt, return_tensors="pt"), max_new_tokens=12)[0]
    return tokenizer.decode(ids, skip_special_tokens=True).removeprefix(prompt).strip()


def full_model(service: WholeService, checkpoint_id: str, directory: Path) -> Any:
    """The full model, from the files that the service streams."""
    listed = service.api.get(f"/checkpoints/{checkpoint_id}/model").json()["items"]
    for file in listed:
        content = service.api.get(f"/checkpoints/{checkpoint_id}/model/{file['path']}").content
        (directory / file["path"]).write_bytes(content)
    return AutoModelForCausalLM.from_pretrained(directory, dtype="auto")


def test_all_edits_hold_in_one_checkpoint_and_peft_and_the_full_model_agree(
    service: WholeService, edits: list[dict[str, Any]], tmp_path: Path
) -> None:
    checkpoint = composed(service, *(edit["id"] for edit in edits))

    result = checkpoint["result"]
    peft = merged(service, checkpoint["id"], tmp_path)
    (tmp_path / "full").mkdir()
    full = full_model(service, checkpoint["id"], tmp_path / "full")
    assert [retest["outcome"] for retest in result["retests"]] == ["held"] * 3
    assert [retest["after"] for retest in result["retests"]] == [
        says(peft, service, prompt) for prompt in SAID
    ]
    for name, weight in peft.state_dict().items():
        assert torch.equal(weight, full.state_dict()[name]), name
    assert [part["edit_id"] for part in checkpoint["parts"]] == [edit["id"] for edit in edits]


def test_any_edit_is_undone_by_composing_the_others(
    service: WholeService, edits: list[dict[str, Any]], tmp_path: Path
) -> None:
    for kept in combinations(edits, 2):
        checkpoint = composed(service, *(edit["id"] for edit in kept))

        (directory := tmp_path / checkpoint["id"]).mkdir()
        model = merged(service, checkpoint["id"], directory)
        for edit in edits:
            wanted = edit["after"] if edit in kept else edit["before"]
            assert says(model, service, edit["prompt"]) == wanted


def test_an_edit_on_a_checkpoint_keeps_what_is_in_it(
    service: WholeService, edits: list[dict[str, Any]], tmp_path: Path
) -> None:
    base = edits[0]["checkpoint_id"]

    chained = service.edit(OTHER, "Asia", base=base)

    checkpoint = service.api.get(f"/checkpoints/{chained['checkpoint_id']}").json()
    model = merged(service, checkpoint["id"], tmp_path)
    assert checkpoint["base"] == base
    assert [part["edit_id"] for part in checkpoint["parts"]] == [edits[0]["id"], chained["id"]]
    assert says(model, service, edits[0]["prompt"]) == edits[0]["after"]
    assert says(model, service, OTHER) == chained["after"]
    assert service.api.delete(f"/checkpoints/{base}").status_code == 409


def test_the_lower_of_two_chained_edits_comes_off_too(
    service: WholeService, edits: list[dict[str, Any]], tmp_path: Path
) -> None:
    chained = service.edit(OTHER, "Asia", base=edits[1]["checkpoint_id"])

    checkpoint = composed(service, chained["id"])

    model = merged(service, checkpoint["id"], tmp_path)
    assert says(model, service, OTHER) == checkpoint["result"]["retests"][0]["after"]
    assert says(model, service, edits[1]["prompt"]) == edits[1]["before"]


def test_what_may_be_in_each_others_way_is_reported(
    service: WholeService, edits: list[dict[str, Any]]
) -> None:
    again = service.edit(edits[0]["prompt"], "Rome")

    checkpoint = composed(service, edits[0]["id"], again["id"])

    told = [(c["kind"], tuple(c["edits"])) for c in checkpoint["result"]["conflicts"]]
    assert ("same_subject", (edits[0]["id"], again["id"])) in told
    outcomes = [retest["outcome"] for retest in checkpoint["result"]["retests"]]
    assert outcomes.count("held") < 2
    assert checkpoint["result"]["outcome"] == "not_held"
