"""A model's directory, looked through before anything is loaded: what is missing or broken."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from palimpsest.command import UsageError
from palimpsest.models.config import shape_of

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
LONGEST_HEADER_BYTES = 100_000_000
FILES = "config.json, tokenizer.json, *.safetensors"


class Flaw(NamedTuple):
    """What is wrong with a directory, and what to do about it."""

    what: str
    advice: str


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What lies in a model's directory."""

    weights_bytes: int
    flaws: tuple[Flaw, ...] = ()


def look_at_model(directory: Path) -> ModelFiles:
    """Sizes and the heads of files alone are read."""
    if not directory.is_dir():
        advice = f"name a directory as Hugging Face keeps it: {FILES}"
        return ModelFiles(0, (Flaw(f"{directory} is not a directory", advice),))
    flaws = (*_of_config(directory), *_of_tokenizer(directory))
    try:
        weights = _weights(directory)
    except (ValueError, TypeError, KeyError, AttributeError):
        return ModelFiles(0, (*flaws, Flaw(f"{INDEX_FILE} is broken", "copy it again")))
    weights_bytes = sum(file.stat().st_size for file in weights if file.is_file())
    return ModelFiles(weights_bytes, (*flaws, *_of_weights(weights)))


def _of_config(directory: Path) -> Iterator[Flaw]:
    config = directory / "config.json"
    if not config.is_file():
        yield Flaw("no config.json", f"name a directory as Hugging Face keeps it: {FILES}")
        return
    try:
        shape_of(str(config), dtype=None)
    except UsageError as error:
        yield Flaw(str(error), "serve a Llama, Mistral, Qwen2 or Qwen3, its weights not quantised")


def _of_tokenizer(directory: Path) -> Iterator[Flaw]:
    tokenizer = directory / "tokenizer.json"
    if not tokenizer.is_file():
        yield Flaw("no tokenizer.json", "bring the tokenizer's files, too")
        return
    try:
        told = json.loads(tokenizer.read_bytes())
    except OSError as error:
        yield _unreadable(tokenizer, error)
        return
    except ValueError:
        told = None
    if not isinstance(told, dict) or "model" not in told:
        yield Flaw("tokenizer.json describes no tokenizer", "bring it again: it is broken")


def _weights(directory: Path) -> list[Path]:
    """The files that are loaded: the one file, or those of the index."""
    one, index = directory / WEIGHTS_FILE, directory / INDEX_FILE
    if one.is_file():
        return [one]
    if not index.is_file():
        return sorted(directory.glob("*.safetensors"))
    shards = json.loads(index.read_bytes())["weight_map"].values()
    return sorted({directory / str(shard) for shard in shards})


def _of_weights(weights: list[Path]) -> Iterator[Flaw]:
    if not weights:
        advice = "convert the weights: save_pretrained(…) writes safetensors"
        yield Flaw("no *.safetensors", advice)
    for file in weights:
        if not file.is_file():
            yield Flaw(f"{file.name} is missing", "copy it again: it holds a part of the weights")
            continue
        try:
            if not _is_whole(file):
                yield Flaw(f"{file.name} is cut off or broken", "copy it again")
        except OSError as error:
            yield _unreadable(file, error)


def _unreadable(file: Path, error: OSError) -> Flaw:
    return Flaw(f"{file.name} cannot be read: {error.strerror}", "let this user read it")


def _is_whole(file: Path) -> bool:
    """Whether it is as long as its header says: its length in 8 bytes, itself, the tensors."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if not 0 < length <= LONGEST_HEADER_BYTES:
            return False
        try:
            header = json.loads(opened.read(length))
            ends = [told["data_offsets"][1] for name, told in header.items() if name[:2] != "__"]
        except (ValueError, KeyError, AttributeError, TypeError, IndexError):
            return False
    return file.stat().st_size == 8 + length + max(ends, default=0)
