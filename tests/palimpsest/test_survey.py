"""Looking at a machine."""

import json
from pathlib import Path

import pytest

from palimpsest import survey
from palimpsest.findings import ModelFiles


def test_the_least_versions_are_those_of_the_packages_own_metadata() -> None:
    wanted = survey.wanted_versions()

    assert {"torch", "fastapi", "redis", "rq"} <= wanted.keys()
    assert wanted["rq"] == "3.0"
    assert "peft" not in wanted  # of development alone


def test_what_is_not_installed_has_no_version() -> None:
    assert survey.found_versions(["httpx", "no-such-package"]).keys() == {"httpx"}


def test_a_redis_tells_of_itself(redis_url: str) -> None:
    told = survey.redis_info(redis_url.partition("?")[0])

    assert told["aof_enabled"] == "1"
    assert int(told["redis_version"].split(".")[0]) >= 6


@pytest.mark.parametrize("url", ["unix:///no/such/socket", "redis://127.0.0.1:1", "http://redis"])
def test_what_is_no_redis_is_told(url: str) -> None:
    with pytest.raises(survey.RedisUnusableError):
        survey.redis_info(url)


def test_a_models_directory_is_looked_through(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": {}}))
    (tmp_path / "a.safetensors").write_bytes(b"12345")
    (tmp_path / "b.safetensors").write_bytes(b"123")

    assert survey.model_files(tmp_path) == ModelFiles(
        has_config=True, has_tokenizer=False, weights_bytes=8, is_quantized=True
    )


def test_a_directory_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert survey.model_files(tmp_path / "nowhere") == ModelFiles(False, False, 0, False)


def test_the_disk_is_that_of_the_nearest_directory_that_is_there(tmp_path: Path) -> None:
    free_bytes, is_writable = survey.disk(tmp_path / "not" / "yet")

    assert free_bytes > 0
    assert is_writable
