"""A model's sizes, by its known name or its `config.json`, as they are before it is loaded."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contract.memory import DTYPE_BYTES, FAMILIES, ModelShape
from contract.memory.known import KNOWN
from palimpsest.command import UsageError

NEEDED = (
    "num_hidden_layers",
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "vocab_size",
)
OPTIONAL = ("num_key_value_heads", "head_dim", "max_position_embeddings", "sliding_window")


def shape_of(model: str, *, dtype: str | None) -> ModelShape:
    """The sizes of a known name, a file or a directory that holds one; raises `UsageError` for what
    is no such thing, and for what no edit could be made of."""
    config = KNOWN[model] if model in KNOWN else _read(model)
    _check_family(config)
    _check_sizes(config)
    stored = config.get("dtype") or config.get("torch_dtype") or "float32"
    return ModelShape.from_config(config, dtype_bytes=_dtype_bytes(dtype or stored))


def check_family(model_dir: Path) -> None:
    """Raises `UsageError` where no worker would load the model, by its `config.json`."""
    _check_family(_read(str(model_dir)))


def _read(model: str) -> dict[str, Any]:
    path = Path(model)
    path = path / "config.json" if path.is_dir() else path
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        names = "\n  ".join(KNOWN)
        raise UsageError(f"{model!r} is neither a file nor one of\n  {names}") from None
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} is not a JSON object")
    return found


def _check_family(config: Mapping[str, Any]) -> None:
    """As the worker does when it loads the model."""
    family = config.get("model_type", FAMILIES[0])
    if family not in FAMILIES:
        raise UsageError(f"model type {family!r} is not one of {', '.join(FAMILIES)}")
    if config.get("quantization_config") is not None:
        raise UsageError("the model is quantised and cannot be edited: use float weights")


def _check_sizes(config: Mapping[str, Any]) -> None:
    for name in (*NEEDED, *OPTIONAL):
        size = config.get(name)
        if size is None and name in OPTIONAL:
            continue
        if name not in config:
            raise UsageError(f"the config lacks {name!r}")
        if type(size) is not int or size < 1:
            raise UsageError(f"the config's {name} is {size!r}, not a whole number of 1 or more")


def _dtype_bytes(dtype: object) -> int:
    if not isinstance(dtype, str) or dtype not in DTYPE_BYTES:
        raise UsageError(f"dtype {dtype!r} is not one of {', '.join(sorted(DTYPE_BYTES))}")
    return DTYPE_BYTES[dtype]
