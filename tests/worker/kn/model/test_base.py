"""Which files make up a base model."""

import json
from pathlib import Path

import pytest

from worker.kn.model.base import Base


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in ("config.json", "tokenizer.json", "model.safetensors", ".gitattributes"):
        (tmp_path / name).write_text(name)
    (tmp_path / "original").mkdir()
    return tmp_path


def names(base: Base) -> list[str]:
    return [file.path for file in base.files]


def test_weights_config_and_tokenizer_belong_to_it(directory: Path) -> None:
    assert names(Base.of(directory)) == ["config.json", "model.safetensors", "tokenizer.json"]


@pytest.mark.parametrize("other", ["pytorch_model.bin", "consolidated.safetensors", "m.gguf"])
def test_weights_that_are_not_loaded_do_not(directory: Path, other: str) -> None:
    (directory / other).touch()

    assert other not in names(Base.of(directory))


def test_the_shards_are_those_of_the_index(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    for name in ("model-1.safetensors", "model-2.safetensors", "other.safetensors"):
        (directory / name).touch()

    assert [name for name in names(Base.of(directory)) if name.endswith(".safetensors")] == [
        "model-1.safetensors",
        "model-2.safetensors",
    ]


def test_pickled_weights_belong_to_a_model_that_has_no_others(directory: Path) -> None:
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")

    assert "pytorch_model.bin" in names(Base.of(directory))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_the_digest_is_of_every_byte_and_of_no_place(
    directory: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    before = Base.of(directory).digest
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "base"
    directory.rename(elsewhere)
    moved = Base.of(elsewhere).digest

    (elsewhere / name).write_text(name.upper())

    assert moved == before
    assert Base.of(elsewhere).digest != before
