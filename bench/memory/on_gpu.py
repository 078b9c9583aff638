"""Edits at true shape on a GPU limited to part of its memory, beside the predicted peaks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from bench.memory.meta_tensors import resident_of
from contract.admission.cards import SAFE_SHARE
from contract.memory.known import LLAMA_2_7B
from worker.kn.editor import Editor
from worker.kn.errors import OverBudgetError
from worker.kn.hparams import HParams
from worker.kn.request import EditRequest, Method

CARDS_BYTES = (16 * 10**9, 24 * 10**9, 40 * 10**9)
PROMPT_TOKENS = (8, 60, 300)


def editor_on(device: str, config: Mapping[str, Any], dtype: torch.dtype) -> Editor:
    """An editor of a model of random weights."""
    with torch.device(device):
        return Editor(resident_of(config, dtype))


def on_gpu(
    device: str = "cuda",
    *,
    config: Mapping[str, Any] = LLAMA_2_7B,
    dtype: torch.dtype = torch.float16,
    cards_bytes: Sequence[int] = CARDS_BYTES,
) -> Iterator[dict[str, Any]]:
    """A row for each limit and each prompt length."""
    editor = editor_on(device, config, dtype)
    weights = editor.shape.weights_bytes
    for card_bytes in cards_bytes:
        _limit(device, card_bytes)
        for tokens in PROMPT_TOKENS:
            budget = int(SAFE_SHARE * (card_bytes - weights))
            row = {"kind": "on_gpu", "card_bytes": card_bytes, "prompt_tokens": tokens}
            yield row | _edited(editor, device, tokens, budget)


def _limit(device: str, card_bytes: int) -> None:
    if device.startswith("cuda"):
        whole = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, card_bytes / whole), device)


def _edited(editor: Editor, device: str, tokens: int, budget_bytes: int) -> dict[str, Any]:
    request = EditRequest(
        prompt="a" * (tokens - 1),
        target_new="b",
        method=Method.PAPER,
        hparams=HParams(adaptive_threshold=0.3),
    )
    gpu = device.startswith("cuda")
    if gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    row: dict[str, Any] = {"budget_bytes": budget_bytes, "out_of_memory": False}
    try:
        result = editor.edit(request, budget_bytes=budget_bytes)
    except OverBudgetError as error:
        return row | {"refused": str(error)}
    except torch.OutOfMemoryError as error:
        return row | {"out_of_memory": True, "told": str(error)}
    reserved = torch.cuda.max_memory_reserved(device) if gpu else None
    return row | {
        "layers": result.layers_per_pass,
        "predicted_bytes": result.predicted_peak_bytes,
        "observed_bytes": result.observed_peak_bytes,
        "reserved_bytes": reserved,
    }
