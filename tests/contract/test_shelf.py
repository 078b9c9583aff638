"""The shelf: the same on a local directory and on another file system."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from contract.checkpoints import CheckpointView
from contract.shelf import Entry, LocalShelf, Shelf
from contract.store import CheckpointStore


@pytest.fixture(params=["local", "memory"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path)
        return
    yield (url := f"memory://{uuid4().hex}")
    fsspec.filesystem("memory").rm(url, recursive=True)


@pytest.fixture
def shelf(location: str) -> Shelf:
    shelf = Shelf.at(location)
    shelf.replace("probe", b"")
    return shelf


def test_a_directory_is_written_durably_and_anything_else_as_it_can(tmp_path: Path) -> None:
    assert isinstance(Shelf.at(tmp_path), LocalShelf)
    assert not isinstance(Shelf.at("memory://somewhere"), LocalShelf)


def test_what_is_created_stands(shelf: Shelf) -> None:
    shelf.create("folder/name", b"first")

    with pytest.raises(FileExistsError):
        shelf.create("folder/name", b"second")

    assert shelf.read("folder/name") == b"first"


def test_what_is_replaced_does_not(shelf: Shelf) -> None:
    shelf.replace("folder/name", b"first")
    shelf.replace("folder/name", b"other")

    assert shelf.read("folder/name") == b"other"


def test_what_is_kept_again_counts_as_new(shelf: Shelf) -> None:
    shelf.keep("name", b"abc")
    before_s = shelf.changed_s("name")

    shelf.keep("name", b"abc")

    assert shelf.changed_s("name") > before_s
    assert shelf.read("name") == b"abc"


def test_a_reader_can_be_anywhere_in_a_file(shelf: Shelf) -> None:
    shelf.replace("name", b"abcdef")

    with shelf.open("name") as file:
        file.seek(2)
        assert file.read(3) == b"cde"


def test_a_folder_lists_all_that_lies_in_it(shelf: Shelf) -> None:
    shelf.replace("folder/b/2", b"22")
    shelf.replace("folder/a", b"1")

    assert list(shelf.entries("folder")) == [Entry("folder/a", 1), Entry("folder/b/2", 2)]
    assert list(shelf.entries("nowhere")) == []


def test_a_folder_that_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    shelf = Shelf.at(tmp_path)
    (tmp_path / "folder").write_text("no directory")

    with pytest.raises(NotADirectoryError):
        list(shelf.entries("folder"))


class Locked(MemoryFileSystem):  # type: ignore[misc]
    """A file system that lets nobody look into its folders."""

    protocol = "locked"

    def ls(self, path: str, detail: bool = True, **told: object) -> list[str]:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_neither_is_one_of_another_file_system() -> None:
    with pytest.raises(PermissionError):
        list(Shelf(Locked(), "/anywhere").entries("folder"))


def test_what_is_removed_is_gone_and_may_be_removed_again(shelf: Shelf) -> None:
    shelf.replace("name", b"abc")

    shelf.remove("name")
    shelf.remove("name")

    for look in (shelf.open, shelf.changed_s):
        with pytest.raises(FileNotFoundError):
            look("name")


def test_a_checkpoint_is_committed_once_wherever_it_lies(
    location: str, checkpoint: CheckpointView
) -> None:
    store = CheckpointStore(location)
    file = store.put("name", b"abc")
    first = store.commit(checkpoint.model_copy(update={"files": (file,)}))

    late = store.commit(checkpoint.model_copy(update={"attempt": 2}))

    assert late == first
    assert store.ids() == [checkpoint.id]
    assert store.read(first.files[0]) == b"abc"
