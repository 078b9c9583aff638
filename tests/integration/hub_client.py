"""`hub_client.py CHECKPOINT`: what Hugging Face's own clients make of `HF_ENDPOINT`, as JSON."""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError
from peft import PeftModel
from safetensors.torch import save
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPT = "The capital of France is"


def digest_of(model: Any) -> str:
    weights = {name: w.contiguous() for name, w in model.state_dict().items()}
    return hashlib.sha256(save(weights)).hexdigest()


def loaded(repo_id: str, **more: Any) -> Any:
    return AutoModelForCausalLM.from_pretrained(repo_id, dtype="auto", **more)


def answer_of(model: Any, tokenizer: Any) -> str:
    ids = model.generate(**tokenizer(PROMPT, return_tensors="pt"), max_new_tokens=12)[0]
    return tokenizer.decode(ids, skip_special_tokens=True)


def refusal(ask: Callable[..., Any], *about: str, **more: Any) -> str:
    try:
        ask(*about, **more)
    except HfHubHTTPError as error:
        return f"{type(error).__name__} {error.response.status_code}"
    return "nothing was refused"


def blobs_of(directory: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in (directory / "../../blobs").resolve().iterdir()}


def downloads(repo_id: str) -> dict[str, Any]:
    first = Path(snapshot_download(repo_id))
    before = blobs_of(first)
    again = Path(snapshot_download(repo_id))
    offline = Path(snapshot_download(repo_id, local_files_only=True))
    return {
        "files": sorted(path.name for path in first.iterdir()),
        "commit": first.name,
        "cached": (first, before) == (again, blobs_of(again)) and offline == first,
    }


def resumed(repo_id: str) -> bool:
    """Whether a download that broke off in the middle goes on, and ends as the file is."""
    snapshot = Path(snapshot_download(repo_id))
    shard = sorted(snapshot.glob("*.safetensors"))[0]
    blob, whole = shard.resolve(), shard.read_bytes()
    shard.unlink()
    blob.unlink()
    blob.with_name(f"{blob.name}.incomplete").write_bytes(whole[: len(whole) // 2])
    return Path(hf_hub_download(repo_id, shard.name)).read_bytes() == whole


def main(checkpoint_id: str) -> None:
    repo_id, lora_id = f"palimpsest/{checkpoint_id}", f"palimpsest/{checkpoint_id}-lora"
    tokenizer = AutoTokenizer.from_pretrained(repo_id)
    edited = loaded(repo_id)
    commit = HfApi().model_info(repo_id).sha
    merged = PeftModel.from_pretrained(loaded("palimpsest/base"), lora_id).merge_and_unload()
    told = {
        "edited": digest_of(edited),
        "edited_says": answer_of(edited, tokenizer),
        "merged": digest_of(merged),
        "lora_alone_says": answer_of(loaded(lora_id), tokenizer),
        "at_its_commit": digest_of(loaded(repo_id, revision=commit)),
        "commit": commit,
        "refs": [ref.name for ref in HfApi().list_repo_refs(repo_id).branches],
        "full": downloads(repo_id),
        "lora": downloads(lora_id),
        "resumed": resumed(repo_id),
        "no_repository": refusal(hf_hub_download, "palimpsest/nothing", "config.json"),
        "no_revision": refusal(hf_hub_download, repo_id, "config.json", revision="v2"),
        "no_file": refusal(hf_hub_download, repo_id, "nothing.json"),
        "no_token": refusal(HfApi().model_info, repo_id, token=False),
    }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
