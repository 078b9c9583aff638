"""How far other merges are from the one that defines the edited model.

    python -m bench.merges [--units 32] [--device cuda]

The edited model is PEFT's default merge on the CPU. A random Llama (hidden 1024, feed-forward 2816,
two layers) gets a random adapter in each dtype and of several ranks, and three merges are compared
with it, entry by entry of the edited columns: the engine's own, PEFT's with `safe_merge=True`, and
PEFT's default on a GPU, where there is one. Only the first is promised, and holds when no entry
differs; the others are only reported.
"""

import argparse
import copy
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from bench.figures.report import report
from bench.tokenizers.words import word_tokenizer
from worker.kn import Adapter, Resident
from worker.kn.model.layout import DTYPES
from worker.kn.write.adapter import LayerWrite
from worker.kn.write.weights import columns_of, edited

D_MODEL, D_FF, N_VOCAB = 1024, 2816, 1000
RANKS = (1, 2, 8, 32)
MEASURED = ("float32", "bfloat16", "float16")

Row = dict[str, Any]


def main() -> int:
    options = _options()
    rows = []
    for name in MEASURED:
        for rank in RANKS:
            rows.append(_compared(name, rank, options))
            print(rows[-1], file=sys.stderr)
    figures: Row = {"n": len(rows)}
    for way in ("engine", "safe_merge", "gpu"):
        shares = {row["dtype"]: row[way] for row in rows if row["rank"] == 1}
        figures[f"{way}_differs"] = shares
    figures["most_of_the_engine_that_differs"] = max(row["engine"] for row in rows)
    figures["holds"] = figures["most_of_the_engine_that_differs"] == 0
    return report("merges", rows, figures)


def _compared(dtype: str, rank: int, options: argparse.Namespace) -> Row:
    """The share of the edited columns' entries in which each merge differs."""
    torch.manual_seed(rank)
    config = LlamaConfig(
        hidden_size=D_MODEL,
        intermediate_size=D_FF,
        num_hidden_layers=2,
        num_attention_heads=8,
        vocab_size=N_VOCAB,
    )
    resident = Resident.of(LlamaForCausalLM(config).to(DTYPES[dtype]), word_tokenizer(N_VOCAB))
    adapter = _random_adapter(resident, rank, options.units)
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in adapter.files("base").items():
            (Path(scratch) / name).write_bytes(content)
        defined = _merged(resident, adapter, scratch)
        safe = _merged(resident, adapter, scratch, safe_merge=True)
        gpu = _merged(resident, adapter, scratch, device=options.device) if options.device else None
    with edited(resident, adapter):
        engine = _columns(resident, adapter)
    row = {"dtype": dtype, "rank": rank, "engine": _differs(engine, defined)}
    row["safe_merge"] = _differs(safe, defined)
    return row | {"gpu": _differs(gpu, defined) if gpu is not None else None}


def _random_adapter(resident: Resident, rank: int, units: int) -> Adapter:
    writes = [
        LayerWrite(
            layer=layer,
            units=tuple(sorted(torch.randperm(D_FF)[:units].tolist())),
            A=torch.randn(rank, units),
            B=torch.randn(D_MODEL, rank) / 50,
        )
        for layer in range(len(resident.blocks))
    ]
    return Adapter.of(writes, d_ff=D_FF, dtype=resident.dtype)


def _merged(
    resident: Resident, adapter: Adapter, directory: str, *, device: str = "cpu", **how: bool
) -> Tensor:
    model = copy.deepcopy(resident.model).to(device)
    merged = PeftModel.from_pretrained(model, directory).merge_and_unload(**how).cpu()
    return _columns(Resident.of(merged, resident.tokenizer), adapter)


def _columns(resident: Resident, adapter: Adapter) -> Tensor:
    return torch.cat([columns_of(resident, write).cpu() for write in adapter.writes], dim=1)


def _differs(some: Tensor, others: Tensor) -> float:
    return (some != others).float().mean().item()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=32, help="edited columns of each layer")
    here = "cuda" if torch.cuda.is_available() else None
    parser.add_argument("--device", default=here, help="of the GPU; the first one, if any")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
