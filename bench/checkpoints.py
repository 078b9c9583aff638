"""What a checkpoint costs: publishing an adapter, and streaming the full model that it makes.

    python -m bench.checkpoints [--layers 10] [--units 32] [--rounds 5] [--dtype bfloat16]

A random Llama (hidden 2048, feed-forward 5632, 32,000 words; 10 layers are 1.3 GB in bfloat16) gets
random changes of rank one in `--units` columns of every layer. They are published like an edit:
written, read back, applied, measured again, committed. Then the same bytes are fetched in three
ways, in turn, by a client that only counts them: the API streams the edited weights from the base
and the columns; the API serves them as a file in the store; Starlette's `StaticFiles` serves that
file from a process of its own. Holds when the model has at least 1 GB, the bytes are the same, the
median throughput is at least 0.8 of the faster plain way, streaming takes no disk space, and the
API's memory grows by at most three edited tensors.
"""

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from bench.figures.report import report
from bench.service.servers import Server, serving
from bench.tokenizers.words import word_tokenizer
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointView, Part
from contract.wire.edits import EditRequest as WireRequest
from contract.wire.ids import checkpoint_id_of, new_edit_id
from contract.wire.lifecycle import Outcome
from contract.wire.views import EditResult, MemoryView, Metrics
from palimpsest.local.addresses import free_port
from worker.attempt.publishing import code_version, commit, keep
from worker.kn import Adapter, Base, EditRequest, Resident
from worker.kn.evaluate.measurement import Asked
from worker.kn.evaluate.verification import files_of, verify
from worker.kn.model.base import WEIGHTS_FILE
from worker.kn.model.layout import DTYPES
from worker.kn.model.loading import load_resident
from worker.kn.write.adapter import LayerWrite
from worker.kn.write.weights import edited
from worker.presence.announcement import base_view

D_MODEL, D_FF, N_VOCAB = 2048, 5632, 32_000
FEWEST_BYTES = 10**9
RATIO_BAR = 0.8
PEAK_BAR_TENSORS = 3
WAYS = ("streamed", "stored", "static")
PROMPT, TARGET = "w5 w6 w7", "w8"

Row = dict[str, Any]


def main() -> int:
    options = _options()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        place = Path(scratch)
        resident, base = _model(place / "base", options)
        adapter = _random_adapter(resident, options.units)
        store = CheckpointStore(place / "store")
        published = _publish(store, resident, base, adapter)
        _tell(f"published in {published['publish_s']:.2f} s")
        plain_id = _write_edited(place, store, resident, adapter)
        del resident
        rows = _rounds(place, published["checkpoint_id"], plain_id, options.rounds)
    figures = _figures(published, rows, options)
    return report("checkpoints", [published, *rows], figures)


def _model(directory: Path, options: argparse.Namespace) -> tuple[Resident, Base]:
    config = LlamaConfig(
        hidden_size=D_MODEL,
        intermediate_size=D_FF,
        num_hidden_layers=options.layers,
        num_attention_heads=16,
        vocab_size=N_VOCAB,
    )
    torch.set_default_dtype(DTYPES[options.dtype])
    model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(directory, max_shard_size="100GB")
    word_tokenizer(N_VOCAB).save_pretrained(directory)
    del model
    return load_resident(directory, device="cpu"), Base.of(directory)


def _random_adapter(resident: Resident, units: int) -> Adapter:
    writes = [
        LayerWrite(
            layer=layer,
            units=tuple(sorted(torch.randperm(D_FF)[:units].tolist())),
            A=torch.randn(1, units),
            B=torch.randn(D_MODEL, 1) / 10,
        )
        for layer in range(len(resident.blocks))
    ]
    return Adapter.of(writes, d_ff=D_FF, dtype=resident.dtype)


def _publish(store: CheckpointStore, resident: Resident, base: Base, adapter: Adapter) -> Row:
    """Publish as the worker does; time that, and the verification separately."""
    asked = Asked.of(resident, EditRequest(prompt=PROMPT, target_new=TARGET))
    with edited(resident, adapter):
        measured = [asked.again(resident)]
    told = base_view(base.digest, base)
    assert told is not None
    store.put_base(told)
    verified_s = 0.0

    def check(files: Any) -> None:
        nonlocal verified_s
        began_s = time.perf_counter()
        verify(resident, measured, files)
        verified_s = time.perf_counter() - began_s

    began_s = time.perf_counter()
    files = files_of(resident, adapter, "bench")
    kept = keep(store, files, verify=check)
    checkpoint = commit(store, _manifest(base.digest, adapter, kept))
    took_s = time.perf_counter() - began_s
    return {
        "checkpoint_id": checkpoint.id,
        "publish_s": took_s - verified_s,
        "verify_s": verified_s,
        "bytes": {file.path: file.size_bytes for file in kept},
    }


def _manifest(base_digest: str, adapter: Adapter, files: Any) -> CheckpointView:
    edit_id = new_edit_id()
    result = EditResult(
        outcome=Outcome.NOT_HELD,
        before="",
        after="",
        neurons=(),
        metrics=Metrics(),
        memory=MemoryView(predicted_peak_bytes=0, observed_peak_bytes=None),
    )
    return CheckpointView(
        id=checkpoint_id_of(edit_id),
        edit_id=edit_id,
        model="bench",
        base_digest=base_digest,
        files=files,
        parts=(Part(edit_id=edit_id, first_rank=0, end_rank=adapter.rank),),
        request=WireRequest(prompt=PROMPT, target_new=TARGET),
        attempt=1,
        result=result,
        code_version=code_version(),
        created_at=datetime.now(UTC),
    )


def _write_edited(place: Path, store: CheckpointStore, resident: Resident, adapter: Adapter) -> str:
    """Make with torch the copy that streaming avoids: as a file, and in the store, as a checkpoint;
    returns its id."""
    (place / "plain").mkdir()
    weights = load_file(place / "base" / WEIGHTS_FILE)
    with edited(resident, adapter):
        for layer, block in enumerate(resident.blocks):
            weights[resident.layout.down_weight_name(layer)] = block.down_weight.clone()
    file = place / "plain" / WEIGHTS_FILE
    save_file(weights, file, {"format": "pt"})
    kept = store.put(WEIGHTS_FILE, file.read_bytes())
    return store.commit(_manifest("0" * 64, adapter, (kept,))).id


def _rounds(place: Path, checkpoint_id: str, plain_id: str, n: int) -> list[Row]:
    ports = free_port("127.0.0.1", 0), free_port("127.0.0.1", 0)
    path = f"/checkpoints/{checkpoint_id}/model/{WEIGHTS_FILE}"
    stored = f"/checkpoints/{plain_id}/files/{WEIGHTS_FILE}"
    environ = {"PALIMPSEST_DATA_DIR": str(place / "store"), "PALIMPSEST_PORT": str(ports[0])}
    environ |= {"PALIMPSEST_LOG_LEVEL": "WARNING"}
    plain_arguments = (str(place / "plain"), str(ports[1]))
    with (
        serving("app", port=ports[0], environ=environ) as api,
        serving("bench.service.static_files", *plain_arguments, port=ports[1], environ={}) as plain,
    ):
        same = api.digest(path) == plain.digest(f"/{WEIGHTS_FILE}")
        rows = []
        for number in range(n):
            before_bytes = _size_bytes(place)
            streamed, resident_bytes = _measured(api, path)
            extra_bytes = _size_bytes(place) - before_bytes
            row: dict[str, Any] = {"round": number, "same_bytes": same}
            row |= {"extra_disk_bytes": extra_bytes, "api_resident_bytes": resident_bytes}
            row |= {"streamed": streamed}
            row |= {"stored": _measured(api, stored)[0]}
            row |= {"static": _measured(plain, f"/{WEIGHTS_FILE}")[0]}
            rows.append(row)
            speeds = ", ".join(f"{row[way]['gb_per_s']:.2f} GB/s {way}" for way in WAYS)
            _tell(f"round {number}: {speeds}")
    return rows


def _measured(server: Server, path: str) -> tuple[Row, int]:
    resident_bytes = server.reset_peak()
    n_bytes, took_s = server.fetch(path)
    told = {"bytes": n_bytes, "seconds": took_s, "gb_per_s": n_bytes / took_s / 1e9}
    return told | {"peak_bytes": server.peak_bytes() - resident_bytes}, resident_bytes


def _size_bytes(place: Path) -> int:
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


def _figures(published: Row, rows: list[Row], options: argparse.Namespace) -> Row:
    tensor_bytes = D_MODEL * D_FF * DTYPES[options.dtype].itemsize
    speeds = {way: median(row[way]["gb_per_s"] for row in rows) for way in WAYS}
    plain = max(speeds["stored"], speeds["static"])
    figures = {
        "adapter_publish_s": round(published["publish_s"], 3),
        "adapter_verify_s": round(published["verify_s"], 3),
        "adapter_bytes": sum(published["bytes"].values()),
        "model_bytes": rows[0]["streamed"]["bytes"],
        "same_bytes": all(row["same_bytes"] for row in rows),
        "gb_per_s": {way: round(speed, 3) for way, speed in speeds.items()},
        "throughput_ratio": round(speeds["streamed"] / plain, 3),
        "extra_disk_bytes": max(row["extra_disk_bytes"] for row in rows),
        "peak_bytes": max(row["streamed"]["peak_bytes"] for row in rows),
        "peak_tensors": round(max(row["streamed"]["peak_bytes"] for row in rows) / tensor_bytes, 3),
    }
    holds = (
        figures["model_bytes"] >= FEWEST_BYTES
        and figures["same_bytes"]
        and figures["throughput_ratio"] >= RATIO_BAR
        and figures["extra_disk_bytes"] == 0
        and figures["peak_tensors"] <= PEAK_BAR_TENSORS
    )
    return figures | {"holds": holds}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=10)
    parser.add_argument("--units", type=int, default=32, help="edited columns of each layer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", choices=list(DTYPES), default="bfloat16")
    parser.add_argument("--scratch", type=Path, help="directory for the models")
    return parser.parse_args()


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
