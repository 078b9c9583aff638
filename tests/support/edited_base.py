"""A base of two shards, edited columns, and the expected full model."""

import hashlib
import random
from pathlib import Path

from safetensors_files import Matrix, file_of

from contract.store.store import CheckpointStore
from contract.wire.checkpoints import BaseFile, BaseView, CheckpointView

ROWS, WIDTH = 700, 900
DOWN_0, DOWN_1 = (f"model.layers.{layer}.mlp.down_proj.weight" for layer in (0, 1))
UNITS = {DOWN_0: (3, 899), DOWN_1: (0,)}
SHARD_1, SHARD_2 = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def drawn(rows: int, width: int, seed: int) -> list[list[int]]:
    draw = random.Random(seed)
    return [[draw.randrange(1 << 16) for _ in range(width)] for _ in range(rows)]


def edited(weight: Matrix, units: tuple[int, ...], columns: Matrix) -> Matrix:
    rows = [list(row) for row in weight]
    for unit, column in zip(units, columns, strict=True):
        for row, element in zip(rows, column, strict=True):
            row[unit] = element
    return rows


WEIGHTS = {DOWN_0: drawn(ROWS, WIDTH, 0), DOWN_1: drawn(ROWS, WIDTH, 1)}
OTHERS = {"model.norm.weight": drawn(1, 90, 2), "lm_head.weight": drawn(40, 90, 3)}
COLUMNS = {name: drawn(len(units), ROWS, 4) for name, units in UNITS.items()}
SHARDS = {
    SHARD_1: {"model.norm.weight": OTHERS["model.norm.weight"], **WEIGHTS},
    SHARD_2: {"lm_head.weight": OTHERS["lm_head.weight"]},
}
WANTED = file_of(
    SHARDS[SHARD_1] | {n: edited(WEIGHTS[n], UNITS[n], COLUMNS[n]) for n in (DOWN_0, DOWN_1)}
)
"""The first shard as it has to come out, of 2.5 MB: more than two pieces."""


def write_base(directory: Path) -> None:
    (directory / "config.json").write_text('{"model_type": "llama"}')
    for name, tensors in SHARDS.items():
        (directory / name).write_bytes(file_of(tensors))


def base_of(directory: Path, digest: str) -> BaseView:
    return BaseView(
        digest=digest,
        location=str(directory),
        files=tuple(
            BaseFile(
                path=path.name,
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                size_bytes=path.stat().st_size,
                changed_ns=path.stat().st_mtime_ns,
            )
            for path in sorted(directory.iterdir())
        ),
    )


def commit(
    store: CheckpointStore,
    checkpoint: CheckpointView,
    *,
    digest: str,
    dtype: str = "BF16",
    columns: dict[str, Matrix] = COLUMNS,
) -> CheckpointView:
    """A checkpoint on the base `digest` with edited columns."""
    tensors: dict[str, Matrix | tuple[int, ...]] = {**columns}
    tensors |= {f"{name}.units": UNITS[name] for name in columns if name in UNITS}
    file = store.put("edited_columns.safetensors", file_of(tensors, dtype=dtype))
    changed = {"id": f"ckpt-{digest[:28]}", "base_digest": digest, "files": (file,)}
    return store.commit(checkpoint.model_copy(update=changed))
