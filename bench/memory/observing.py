"""Real edits of small models: observed peaks beside the predicted ones."""

import random
import string
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from bench.memory.meta_tensors import ASCII
from bench.tokenizers.characters import Characters
from worker.kn.editor import Editor
from worker.kn.errors import EditError
from worker.kn.hparams import HParams
from worker.kn.model.resident import Resident
from worker.kn.request import EditRequest, Method, Operation, Probe

SEED = 20261
SIZES: Mapping[str, Mapping[str, Any]] = {
    "llama": {"num_attention_heads": 8, "num_key_value_heads": 8},
    "mistral": {"num_attention_heads": 8, "num_key_value_heads": 2, "sliding_window": None},
    "qwen2": {"num_attention_heads": 8, "num_key_value_heads": 2, "tie_word_embeddings": True},
    "qwen3": {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 64},
}
COMMON = {
    "vocab_size": 6000,
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 6,
    "max_position_embeddings": 1024,
}


def observed(edits: int) -> Iterator[dict[str, Any]]:
    """A row for each edit that succeeds, of every family in turn, with all layers in one pass or
    with fewer."""
    draw = random.Random(SEED)
    for n in range(edits):
        kind = list(SIZES)[n % len(SIZES)]
        dtype = draw.choice((torch.float32, torch.bfloat16))
        request, layers = _request(draw), draw.choice((1, 2, 6, 6))
        try:
            result = _editor(kind, dtype).edit(request, layers_per_pass=layers)
        except EditError:
            continue
        yield {
            "kind": kind,
            "dtype": str(dtype).removeprefix("torch."),
            "method": request.method.value,
            "operation": request.operation.value,
            "prompts": [len(prompt) for prompt in request.steering_prompts],
            "answer": len(request.target_new),
            "steps": request.hparams.steps,
            "layers": layers,
            "neurons": len(result.neurons),
            "observed_bytes": result.observed_peak_bytes,
            "predicted_bytes": result.predicted_peak_bytes,
        }


def _editor(kind: str, dtype: torch.dtype) -> Editor:
    torch.manual_seed(SEED)
    config = AutoConfig.for_model(kind, **COMMON | dict(SIZES[kind]))
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    return Editor(Resident.of(model, Characters(ASCII)))


def _request(draw: random.Random) -> EditRequest:
    longest = draw.choice((8, 30, 100, 300))

    def text(length: int) -> str:
        return "".join(draw.choices(string.ascii_lowercase, k=length))

    def texts(*numbers: int) -> tuple[str, ...]:
        return tuple(text(draw.randint(4, longest)) for _ in range(draw.choice(numbers)))

    return EditRequest(
        prompt=text(longest),
        target_new=text(draw.randint(1, 6)),
        ground_truth=draw.choice((None, text(draw.randint(1, 6)))),
        method=draw.choice(list(Method)),
        operation=draw.choice((Operation.EDIT, Operation.EDIT, Operation.ERASE)),
        refine_prompts=texts(0, 0, 1, 4),
        protect_prompts=texts(0, 0, 2),
        locality=tuple(Probe(prompt) for prompt in texts(0, 3)),
        hparams=HParams(
            steps=draw.choice((5, 20)),
            adaptive_threshold=draw.choice((0.1, 0.3)),
            p=0.0,
        ),
    )
