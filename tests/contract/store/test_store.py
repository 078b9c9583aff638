"""The store: whole or not at all, and once."""

import errno
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from contract.store.errors import (
    CorruptFileError,
    NewerManifestError,
    StoreFullError,
    StoreUnavailableError,
    UnreadableManifestError,
)
from contract.store.shelf import Shelf
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import BaseView, CheckpointFile, CheckpointView

ABC_SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path)


def blob_of(file: CheckpointFile) -> str:
    return f"blobs/{file.sha256[:2]}/{file.sha256}"


def files_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


def test_a_file_lies_under_its_sha_256(store: CheckpointStore, tmp_path: Path) -> None:
    file = store.put("folder/name.bin", b"abc")

    assert (file.path, file.sha256, file.size_bytes) == ("folder/name.bin", ABC_SHA256, 3)
    assert (tmp_path / "blobs" / "ba" / ABC_SHA256).read_bytes() == b"abc"
    assert files_in(tmp_path) == [ABC_SHA256]


def test_the_same_content_is_kept_once(store: CheckpointStore, tmp_path: Path) -> None:
    store.put("a", b"abc")
    store.put("b", b"abc")

    assert files_in(tmp_path) == [ABC_SHA256]


def test_many_writers_of_one_file_leave_one_file(store: CheckpointStore, tmp_path: Path) -> None:
    content = b"x" * 100_000

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda i: store.put(str(i), content), range(32)))

    digest = hashlib.sha256(content).hexdigest()
    assert {file.sha256 for file in written} == {digest}
    assert files_in(tmp_path) == [digest]


def test_a_damaged_file_is_noticed_and_never_served_again(store: CheckpointStore) -> None:
    file = store.put("name", b"abc")
    store.shelf.replace(blob_of(file), b"abX")

    with pytest.raises(CorruptFileError, match="name reads back"):
        store.read(file)

    with pytest.raises(FileNotFoundError):
        store.open(file.sha256)


def test_writing_again_after_damage_makes_the_file_whole(store: CheckpointStore) -> None:
    file = store.put("name", b"abc")
    store.shelf.replace(blob_of(file), b"ab")

    with pytest.raises(CorruptFileError):
        store.put("name", b"abc")
    store.put("name", b"abc")

    assert store.read(file) == b"abc"


def test_a_file_that_is_gone_is_reported_as_a_damaged_one(store: CheckpointStore) -> None:
    file = store.put("name", b"abc")
    store.shelf.remove(blob_of(file))

    with pytest.raises(CorruptFileError, match="name is gone"):
        store.read(file)


def test_a_file_that_cannot_be_written_leaves_no_trace(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "ba").write_text("a file where a directory should be")

    with pytest.raises(StoreUnavailableError):
        store.put("name", b"abc")

    assert files_in(tmp_path) == ["ba"]


def test_a_torn_temporary_file_is_no_checkpoint(
    store: CheckpointStore, tmp_path: Path, checkpoint: CheckpointView
) -> None:
    torn = tmp_path / "manifests" / f".{checkpoint.id}.json.0badf00d"
    torn.parent.mkdir()
    torn.write_bytes(checkpoint.model_dump_json().encode()[:50])

    assert store.find(checkpoint.id) is None
    assert store.commit(checkpoint) == checkpoint


def test_a_committed_checkpoint_is_found(
    store: CheckpointStore, tmp_path: Path, checkpoint: CheckpointView
) -> None:
    committed = store.commit(checkpoint)

    assert committed == checkpoint
    assert store.find(checkpoint.id) == checkpoint
    assert files_in(tmp_path / "manifests") == [f"{checkpoint.id}.json"]


def test_the_first_commit_stands(store: CheckpointStore, checkpoint: CheckpointView) -> None:
    store.commit(checkpoint)
    late = checkpoint.model_copy(update={"attempt": 2})

    standing = store.commit(late)

    assert standing.attempt == 1
    assert store.find(checkpoint.id) == checkpoint


def test_of_many_commits_at_once_all_see_the_same_one_stand(
    store: CheckpointStore, tmp_path: Path, checkpoint: CheckpointView
) -> None:
    rivals = [checkpoint.model_copy(update={"attempt": number}) for number in range(16)]

    with ThreadPoolExecutor(16) as pool:
        standing = list(pool.map(store.commit, rivals))

    assert len({view.attempt for view in standing}) == 1
    assert files_in(tmp_path / "manifests") == [f"{checkpoint.id}.json"]


@pytest.mark.parametrize(
    "checkpoint_id",
    [
        "",
        "ckpt-",
        "ckpt-" + "0" * 27,
        "ckpt-" + "0" * 29,
        "ckpt-" + "g" * 28,
        "../ckpt-" + "0" * 28,
        "../../etc/passwd",
        "ckpt-" + "0" * 28 + "\n",
        "\x00",
    ],
)
def test_a_malformed_id_is_not_found(
    store: CheckpointStore, checkpoint: CheckpointView, checkpoint_id: str
) -> None:
    store.commit(checkpoint)

    assert store.find(checkpoint_id) is None


def test_checkpoints_are_listed_newest_first(
    store: CheckpointStore, checkpoint: CheckpointView
) -> None:
    older, newer = (checkpoint.model_copy(update={"id": f"ckpt-{n * 28}"}) for n in "01")
    for committed in (newer, older):
        store.commit(committed)

    assert store.ids() == [newer.id, older.id]
    assert list(store.checkpoints()) == [newer, older]


def test_a_damaged_manifest_is_reported_and_hides_no_other(
    store: CheckpointStore, checkpoint: CheckpointView
) -> None:
    damaged = checkpoint.model_copy(update={"id": f"ckpt-{'f' * 28}"})
    for committed in (checkpoint, damaged):
        store.commit(committed)
    store.shelf.replace(f"manifests/{damaged.id}.json", damaged.model_dump_json().encode()[:-9])

    for ask in (store.find, store.withhold):
        with pytest.raises(UnreadableManifestError, match=damaged.id):
            ask(damaged.id)
    assert list(store.readable(store.ids())) == [checkpoint]

    store.remove(damaged.id)
    assert list(store.checkpoints()) == [checkpoint]


@pytest.mark.parametrize(
    ("whole", "broken"),
    [
        (b'"id": "ckpt-0', b'"id": "ckpt-1'),
        (b'"sha256": "a', b'"sha256": "g'),
        (b'"edit_id": "edit-0', b'"edit_id": "edit-1'),
    ],
)
def test_one_bit_that_flipped_in_a_name_is_damage_too(
    store: CheckpointStore, checkpoint: CheckpointView, whole: bytes, broken: bytes
) -> None:
    manifest = store.commit(checkpoint).manifest
    store.shelf.replace(f"manifests/{checkpoint.id}.json", manifest.replace(whole, broken, 1))

    with pytest.raises(UnreadableManifestError, match=checkpoint.id):
        store.find(checkpoint.id)


@pytest.mark.parametrize(
    "field",
    ["id", "edit_id", "model", "base_digest", "files", "parts", "request", "attempt", "result"],
)
def test_a_field_whose_name_is_damaged_is_missing(
    store: CheckpointStore, checkpoint: CheckpointView, field: str
) -> None:
    manifest = json.loads(store.commit(checkpoint).manifest)
    manifest["~" + field] = manifest.pop(field)
    store.shelf.replace(f"manifests/{checkpoint.id}.json", json.dumps(manifest).encode())

    with pytest.raises(UnreadableManifestError, match=checkpoint.id):
        store.find(checkpoint.id)


def test_a_copy_that_lies_beside_a_manifest_is_none(
    store: CheckpointStore, checkpoint: CheckpointView
) -> None:
    store.commit(checkpoint)

    for copy in (f"{checkpoint.id}.json~", f"{checkpoint.id}.txt", f"old/{checkpoint.id}.json"):
        store.shelf.replace(f"manifests/{copy}", checkpoint.manifest)

    assert store.ids() == [checkpoint.id]


def test_what_a_later_version_tells_besides_in_a_manifest_is_passed_over(
    store: CheckpointStore, checkpoint: CheckpointView
) -> None:
    told = json.loads(checkpoint.model_dump_json())
    later = told | {"mood": "good", "result": told["result"] | {"mood": "good"}}
    store.shelf.create(f"manifests/{checkpoint.id}.json", json.dumps(later).encode())

    assert store.find(checkpoint.id) == checkpoint


@pytest.mark.parametrize("changes", [{}, {"files": "told otherwise"}])
def test_a_manifest_of_a_later_schema_is_refused_as_such_and_hides_no_other(
    store: CheckpointStore, checkpoint: CheckpointView, changes: dict[str, Any]
) -> None:
    store.commit(checkpoint)
    newer = checkpoint.model_copy(update={"id": f"ckpt-{'f' * 28}", "schema_version": 2})
    manifest = json.loads(newer.model_dump_json()) | changes
    store.shelf.create(f"manifests/{newer.id}.json", json.dumps(manifest).encode())

    with pytest.raises(NewerManifestError, match="has schema 2, this version reads 1"):
        store.find(newer.id)
    assert list(store.readable(store.ids())) == [checkpoint]


def test_what_would_not_read_back_is_not_published(
    store: CheckpointStore, checkpoint: CheckpointView
) -> None:
    deep: dict[str, Any] = {}
    for _ in range(250):  # pydantic reads 200 levels
        deep = {"x": deep}
    request = checkpoint.request.model_copy(update={"metadata": deep})

    with pytest.raises(UnreadableManifestError, match=checkpoint.id):
        store.commit(checkpoint.model_copy(update={"request": request}))

    assert store.ids() == []


def test_an_empty_store_lists_nothing(store: CheckpointStore) -> None:
    assert store.ids() == []


def test_a_base_is_found_where_it_was_last_told_to_be(store: CheckpointStore) -> None:
    base = BaseView(digest="a" * 64, location="/models/one", files=())

    store.put_base(base)
    store.put_base(base.model_copy(update={"location": "/models/two"}))

    found = store.find_base("a" * 64)
    assert found is not None
    assert found.location == "/models/two"
    assert store.find_base("b" * 64) is None
    assert store.find_base("../manifests/x") is None


def test_a_base_whose_file_is_damaged_says_so(store: CheckpointStore) -> None:
    store.put_base(BaseView(digest="a" * 64, location="/models/one", files=()))
    store.shelf.replace(f"bases/{'a' * 64}.json", b"{")

    for ask in (lambda: store.find_base("a" * 64), store.named):
        with pytest.raises(UnreadableManifestError, match=f"base {'a' * 64}"):
            ask()


def test_trying_the_store_leaves_nothing(store: CheckpointStore, tmp_path: Path) -> None:
    store.check_writable()

    assert files_in(tmp_path) == []


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreUnavailableError):
        CheckpointStore(tmp_path / "file").check_writable()


@pytest.mark.parametrize("folder", ["manifests", "blobs"])
def test_so_does_one_of_which_a_folder_cannot_be_written(
    store: CheckpointStore, tmp_path: Path, folder: str
) -> None:
    (tmp_path / folder).write_text("no directory")

    with pytest.raises(StoreUnavailableError):
        store.check_writable()


class Sealed(MemoryFileSystem):  # type: ignore[misc]
    """A file system that takes what it does not give back."""

    protocol = "sealed"

    def open(self, path: str, mode: str = "rb", **told: object) -> object:
        if mode == "rb":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return super().open(path, mode, **told)


class Full(MemoryFileSystem):  # type: ignore[misc]
    """A disk without a free block: what is empty takes none."""

    protocol = "full"

    def pipe_file(self, path: str, value: bytes, *asked: object, **told: object) -> None:
        if value:
            super().pipe_file(path, b"", *asked, **told)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        super().pipe_file(path, value, *asked, **told)


def test_so_does_one_that_is_full_and_keeps_no_half_of_what_was_tried(
    store: CheckpointStore,
) -> None:
    store.shelf = Shelf(Full(), f"/{uuid4().hex}")

    with pytest.raises(StoreFullError, match=r"^No space left on device$"):
        store.check_writable()

    assert list(store.shelf.entries("")) == []


def test_so_does_one_that_cannot_be_read(store: CheckpointStore) -> None:
    store.shelf = Shelf(Sealed(), f"/{uuid4().hex}")

    with pytest.raises(StoreUnavailableError, match=r"^Permission denied$"):
        store.check_writable()

    assert list(store.shelf.entries("")) == []
