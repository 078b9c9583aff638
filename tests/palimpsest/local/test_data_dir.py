"""The directory of one `palimpsest up`."""

import os
from pathlib import Path

import pytest

from palimpsest.local.data_dir import (
    LARGEST_LOG_BYTES,
    DataDir,
    DataDirInUseError,
    DataDirUnusableError,
)


def test_a_directory_serves_one_at_a_time(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path / "d")

    with (
        data_dir.locked(),
        pytest.raises(DataDirInUseError, match=rf"\(process {os.getpid()}\)"),
        data_dir.locked(),
    ):
        pass


def test_the_directory_is_free_again_afterwards(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path / "d")

    with data_dir.locked():
        pass
    with data_dir.locked():
        pass


def test_where_a_file_lies_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "d").touch()

    with (
        pytest.raises(DataDirUnusableError, match="File exists; choose another with --data-dir"),
        DataDir(tmp_path / "d").locked(),
    ):
        pass


def test_a_directory_is_tried_without_leaving_anything(tmp_path: Path) -> None:
    DataDir(tmp_path / "d").check()

    assert list((tmp_path / "d").iterdir()) == []


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_where_nothing_can_be_kept_is_reported_before_anything_is(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DataDirUnusableError, match=f"cannot write to {tmp_path}/{place}: "):
        DataDir(tmp_path / place).check()


@pytest.mark.parametrize("name", ["redis", "logs"])
def test_a_file_in_the_place_of_a_folder_is_reported(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()

    with pytest.raises(DataDirUnusableError, match="File exists"):
        DataDir(tmp_path).prepare()


def test_a_large_log_is_put_away(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path)
    data_dir.prepare()
    data_dir.log("small").write_text("kept")
    with data_dir.log("large").open("wb") as log:
        log.truncate(LARGEST_LOG_BYTES + 1)

    data_dir.prepare()

    names = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert names == ["large.log.1", "small.log"]
