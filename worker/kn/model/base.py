"""The base model as files: which of a directory's files make it up, and their digest."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
_WEIGHTS = frozenset({".safetensors", ".bin", ".pt", ".pth", ".gguf", ".onnx", ".h5", ".msgpack"})


@dataclass(frozen=True, slots=True)
class BaseFile:
    """One file as it was when the model was loaded."""

    path: str
    sha256: str
    size_bytes: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Base:
    """The files that a model was loaded from: weights, config, tokenizer."""

    directory: Path | None = None
    files: tuple[BaseFile, ...] = ()

    @classmethod
    def of(cls, directory: Path) -> "Base":
        """Read and hash every file that belongs to the model."""
        directory = directory.resolve()
        return cls(directory, tuple(_hashed(path) for path in sorted(_belonging(directory))))

    @property
    def digest(self) -> str:
        """SHA-256 over the names and contents of all files: what the base model is."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.path}\0{file.sha256}\n".encode())
        return digest.hexdigest()


def _belonging(directory: Path) -> Iterator[Path]:
    """Files that are no weights, and the weights that transformers loads: those of the index, the
    one file, or pickles. Weights in other forms would stay unedited beside the edited ones."""
    files = [p for p in directory.iterdir() if p.is_file() and not p.name.startswith(".")]
    yield from (path for path in files if path.suffix not in _WEIGHTS)
    index = directory / INDEX_FILE
    if (directory / WEIGHTS_FILE).is_file():
        yield directory / WEIGHTS_FILE
    elif index.is_file():
        shards = json.loads(index.read_bytes())["weight_map"].values()
        yield from (directory / name for name in set(shards))
    else:
        yield from (path for path in files if path.suffix in {".bin", ".pt"})


def _hashed(path: Path) -> BaseFile:
    stat = path.stat()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 24):
            digest.update(chunk)
    return BaseFile(path.name, digest.hexdigest(), stat.st_size, stat.st_mtime_ns)
