"""Attribution and an edit at Llama-2-7B's shape, against what the device can do at most.

    python -m bench.gpu [--easyedit CHECKOUT]      (CHECKOUT needs einops and tqdm)
    python -m bench.gpu --device cpu --dtype float32 --shape tiny

The weights are random, so texts are noise, but times and bytes are not. The floor is the sum
over all needed matrix products of FLOPs / matmul rate or bytes / copy bandwidth, whichever is more,
with both rates measured in the same run. Holds when `collect` takes at most 3 × the floor, at 20
and at 200 prompt tokens; the goal is 2 ×. Of ours it needs `worker.kn` and `contract.memory` alone.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from bench.engine.easyedit import easyedit_kn
from bench.engine.roofline import Rates, passes_of
from bench.figures.report import report
from bench.tokenizers.characters import Characters
from contract.memory import SequenceShape, Workload, estimate
from worker.kn import Editor, EditRequest, Resident
from worker.kn.collect.attribution import Path as IntegrationPath
from worker.kn.collect.attribution import attribute
from worker.kn.collect.quadrature import riemann
from worker.kn.memory.metering import metered
from worker.kn.model.layout import DTYPES
from worker.kn.model.recording import record
from worker.kn.model.statement import Batch, Statement

STEPS = 20
BAR, GOAL = 3.0, 2.0
REPEATS = 7
EASYEDIT_LAYERS = 3  # timed: the lowest, the middle and the highest
EASYEDIT_BATCHES = (1, STEPS)
SHAPES: dict[str, dict[str, int]] = {
    "llama-2-7b": {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "max_position_embeddings": 4096,
    },
    "tiny": {
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
    },
}


def main() -> int:
    """Measure the device, then the engine on it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", choices=list(DTYPES), default="bfloat16")
    parser.add_argument("--shape", choices=SHAPES, default="llama-2-7b")
    parser.add_argument("--easyedit", type=Path, help="a checkout of EasyEdit, to time it too")
    options = parser.parse_args()
    rows, figures = measured(
        torch.device(options.device), options.dtype, options.shape, options.easyedit
    )
    return report(f"gpu-{_slug(figures['device'])}", [*rows, figures], figures)


def measured(
    device: torch.device, dtype: str, shape: str, easyedit: Path | None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The raw rows, and the figures of the last line."""
    rates = _rates(device, DTYPES[dtype])
    resident = _resident(device, DTYPES[dtype], SHAPES[shape])
    rows: list[dict[str, Any]] = []
    collected = {}
    with resident.frozen():
        for prompt_tokens in (20, 200):
            rows += _floors(resident, rates, prompt_tokens)
            floor_s = sum(row["floor_s"] for row in rows if row["prompt_tokens"] == prompt_tokens)
            collected[str(prompt_tokens)] = _collected(resident, prompt_tokens, floor_s)
    for row in rows:
        print(row, file=sys.stderr)
    ratios = [figures["times_floor"] for figures in collected.values()]
    return rows, {
        "bench": "gpu",
        "device": _name_of(device),
        "torch": torch.__version__,
        "shape": shape,
        "dtype": dtype,
        "matmul_flops_per_s": rates.flops,
        "copy_bytes_per_s": rates.n_bytes,
        "weights_bytes": resident.shape.weights_bytes,
        "collect": collected,
        "easyedit": _easyedit(easyedit, resident, collected["20"]["seconds"]) if easyedit else None,
        "edit": _edited(resident),
        "goal_holds": max(ratios) <= GOAL,
        "holds": max(ratios) <= BAR,
    }


def _floors(resident: Resident, rates: Rates, prompt_tokens: int) -> list[dict[str, Any]]:
    """The floor of each pass."""
    b = resident.shape.dtype_bytes
    passes = passes_of(resident.shape, prompt_tokens=prompt_tokens, steps=STEPS)
    return [
        {
            "prompt_tokens": prompt_tokens,
            "pass": one.name,
            "flops": one.flops,
            "bytes": one.n_values * b,
            "floor_s": one.seconds(rates, dtype_bytes=b),
        }
        for one in passes
    ]


def _collected(resident: Resident, prompt_tokens: int, floor_s: float) -> dict[str, Any]:
    """Attribution of one answer token, all layers in one pass: its time and its peak."""
    layers = len(resident.blocks)
    path = IntegrationPath(quadrature=riemann(STEPS), layers_per_pass=layers)
    statement = _statement(resident, prompt_tokens)
    batch = Batch.of([statement], resident.device)

    def collect() -> None:
        attribute(resident, [statement], path, progress=lambda done, total: None)

    seconds = _seconds(collect, resident.device)
    with metered({resident.device}) as peak:
        collect()
    sequence = SequenceShape(prompt_tokens=prompt_tokens, answer_tokens=1)
    work = Workload(attributed=(sequence,), written=(sequence,), steps=STEPS)
    stages = {s.name: s for s in estimate(resident.shape, work, layers_per_pass=layers).stages}
    return {
        "seconds": seconds,
        "record_s": _seconds(lambda: record(resident, batch), resident.device),
        "floor_s": floor_s,
        "times_floor": seconds / floor_s,
        "peak_bytes": peak.n_bytes,
        "estimated_bytes": stages["collect"].n_bytes,
        "estimate_over_peak": stages["collect"].n_bytes / peak.n_bytes,
    }


def _easyedit(checkout: Path, resident: Resident, ours_s: float) -> dict[str, Any]:
    """EasyEdit's own code on a few layers, times the layers there are; its answer of one token has
    two, since BOS is one of them."""
    theirs = easyedit_kn(checkout)(
        resident.model, resident.tokenizer, model_type="llama", device=str(resident.device)
    )
    prompt, answer = "a" * 19, "b"  # 20 tokens with BOS
    n_layer = len(resident.blocks)
    layers = sorted({0, n_layer // 2, n_layer - 1})[:EASYEDIT_LAYERS]
    found = {}
    for batch_size in EASYEDIT_BATCHES:
        by_layer = [
            _seconds(
                partial(
                    theirs.get_scores_for_layer,
                    prompt,
                    answer,
                    layer_idx=layer,
                    batch_size=batch_size,
                    steps=STEPS,
                ),
                resident.device,
                repeats=1,
            )
            for layer in layers
        ]
        seconds = n_layer * sum(by_layer) / len(by_layer)
        found[f"batch_{batch_size}"] = {
            "seconds_extrapolated": seconds,
            "times_ours_per_target_token": seconds / 2 / ours_s,
        }
    return {"prompt_tokens": 20, "layers_timed": len(layers), "target_tokens": 2} | found


def _edited(resident: Resident) -> dict[str, Any]:
    """One whole edit, from the request to the adapter's files."""
    began = time.perf_counter()
    editor = Editor(resident)
    sampled_s = time.perf_counter() - began
    request = EditRequest(
        prompt="The capital of France is", target_new="Rome", ground_truth="Paris"
    )
    began = time.perf_counter()
    result = editor.edit(request)
    files = result.adapter.files("base")
    return {
        "method": request.method.value,
        "references_sampled_s": sampled_s,
        "seconds": time.perf_counter() - began,
        "timings": {name: round(seconds, 4) for name, seconds in result.timings.items()},
        "held": result.held,
        "neurons": len(result.neurons),
        "rank": result.adapter.rank,
        "adapter_bytes": sum(map(len, files.values())),
        "predicted_peak_bytes": result.predicted_peak_bytes,
        "observed_peak_bytes": result.observed_peak_bytes,
    }


def _statement(resident: Resident, prompt_tokens: int) -> Statement:
    generator = torch.Generator().manual_seed(prompt_tokens)
    ids = torch.randint(3, resident.shape.n_vocab, (prompt_tokens + 1,), generator=generator)
    *prompt, answer = ids.tolist()
    return Statement.of(prompt, (answer,))


def _resident(device: torch.device, dtype: torch.dtype, sizes: dict[str, int]) -> Resident:
    """A Llama made on the device itself, in the dtype."""
    torch.manual_seed(0)
    with _default(dtype), device:
        model = LlamaForCausalLM(LlamaConfig(**sizes))
    return Resident.of(model, Characters(sizes["vocab_size"]))


@contextmanager
def _default(dtype: torch.dtype) -> Iterator[None]:
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(usual)


def _rates(device: torch.device, dtype: torch.dtype) -> Rates:
    """The best times of a large square product, and of a copy larger than any cache."""
    large = device.type == "cuda"
    n = 8192 if large else 1024
    square = torch.randn(n, n, device=device, dtype=dtype)
    out = torch.empty_like(square)
    product_s = _seconds(lambda: torch.mm(square, square, out=out), device, pick=min)
    source = torch.ones((1 << 30) if large else (1 << 27), device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    copy_s = _seconds(lambda: target.copy_(source), device, pick=min)
    return Rates(flops=2 * n**3 / product_s, n_bytes=2 * source.nbytes / copy_s)


def _seconds(
    run: Callable[[], object],
    device: torch.device,
    *,
    repeats: int = REPEATS,
    pick: Callable[[list[float]], float] = median,
) -> float:
    """The time of a run, after one to warm up."""
    run()
    taken = []
    for _ in range(repeats):
        _wait_for(device)
        began = time.perf_counter()
        run()
        _wait_for(device)
        taken.append(time.perf_counter() - began)
    return pick(taken)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _name_of(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


if __name__ == "__main__":
    sys.exit(main())
