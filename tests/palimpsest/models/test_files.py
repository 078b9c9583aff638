"""A model's directory, as it may be found."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract.memory.known import KNOWN
from palimpsest.models.files import INDEX_FILE, ModelFiles, look_at_model


def weights(n_bytes: int) -> bytes:
    """A safetensors file of one tensor."""
    header = json.dumps({"a": {"dtype": "U8", "shape": [n_bytes], "data_offsets": [0, n_bytes]}})
    return len(header).to_bytes(8, "little") + header.encode() + bytes(n_bytes)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(KNOWN["Qwen/Qwen3-8B"]))
    (tmp_path / "tokenizer.json").write_text('{"model": {}}')
    (tmp_path / "model.safetensors").write_bytes(weights(10))
    return tmp_path


def test_a_whole_model_has_no_flaw(model: Path) -> None:
    assert look_at_model(model) == ModelFiles(len(weights(10)))


def test_a_model_of_several_files_is_whole_with_all_of_them(model: Path) -> None:
    for shard in ("1.safetensors", "2.safetensors"):
        (model / shard).write_bytes(weights(3))
    (model / "model.safetensors").unlink()
    told = {"weight_map": {"a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors"}}
    (model / INDEX_FILE).write_text(json.dumps(told))

    assert look_at_model(model) == ModelFiles(2 * len(weights(3)))


def configure(**told: object) -> Callable[[Path], object]:
    config = KNOWN["Qwen/Qwen3-8B"] | told
    return lambda model: (model / "config.json").write_text(json.dumps(config))


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda model: (model / name).write_bytes(content)


def index(content: bytes) -> Callable[[Path], object]:
    return lambda model: (
        (model / "model.safetensors").replace(model / "1.safetensors")
        and (model / INDEX_FILE).write_bytes(content)
    )


def dangle(model: Path) -> None:
    (model / "model.safetensors").unlink()
    (model / "model.safetensors").symlink_to(model / "gone")


@pytest.mark.parametrize(
    ("breaks", "told"),
    [
        (lambda model: (model / "config.json").unlink(), "no config.json"),
        (write("config.json", b"{"), "is not JSON"),
        (configure(model_type="gpt2"), "model type 'gpt2' is not one of"),
        (configure(quantization_config={"bits": 4}), "quantised"),
        (configure(hidden_size=None), "hidden_size"),
        (lambda model: (model / "tokenizer.json").unlink(), "no tokenizer.json"),
        (write("tokenizer.json", b"{}"), "describes no tokenizer"),
        (lambda model: (model / "model.safetensors").unlink(), "no *.safetensors"),
        (dangle, "model.safetensors is missing"),
        (write("model.safetensors", weights(10)[:-1]), "model.safetensors is cut off"),
        (write("model.safetensors", b""), "model.safetensors is cut off"),
        (write("model.safetensors", b"\xff" * 99), "model.safetensors is cut off"),
        (write("model.safetensors", b"\4" + bytes(7) + b"null"), "model.safetensors is cut off"),
        (index(b'{"weight_map": {"a": "2.safetensors"}}'), "2.safetensors is missing"),
        (index(b"[]"), "index.json is broken"),
    ],
)
def test_what_is_missing_or_broken_is_reported_with_what_to_do(
    model: Path, breaks: Callable[[Path], object], told: str
) -> None:
    breaks(model)

    (flaw,) = look_at_model(model).flaws

    assert told in flaw.what
    assert flaw.advice


@pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors"])
def test_a_file_that_this_user_may_not_read_is_reported(
    model: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def guarded(path: Path, *rest: Any, **options: Any) -> Any:
        if path.name == name:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *rest, **options)

    monkeypatch.setattr(Path, "open", guarded)

    (flaw,) = look_at_model(model).flaws

    assert flaw.what == f"{name} cannot be read: Permission denied"
    assert flaw.advice == "let this user read it"


def test_a_directory_that_is_not_there_is_reported(tmp_path: Path) -> None:
    (flaw,) = look_at_model(tmp_path / "nowhere").flaws

    assert flaw.what.endswith("nowhere is not a directory")
