from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake_editor import FakeResult

from contract.store.errors import CorruptFileError, StoreUnavailableError
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointFile, CheckpointView, Part
from contract.wire.edits import EditRequest
from contract.wire.views import EditResult
from worker.attempt.publishing import commit, keep

FILES = {"b.bin": b"two", "a.json": b"{}"}


def draft(*, attempt: int = 1) -> CheckpointView:
    return CheckpointView(
        id="ckpt-" + "0" * 28,
        edit_id="edit-" + "0" * 28,
        model="demo",
        base_digest="b" * 64,
        files=(),
        parts=(Part(edit_id="edit-" + "0" * 28, first_rank=0, end_rank=1),),
        request=EditRequest(prompt="The capital of France is", target_new="Rome"),
        attempt=attempt,
        result=EditResult.model_validate(FakeResult("held").as_json()),
        code_version="1",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


class SyncFails(CheckpointStore):
    """A store whose disk gives an error just after the manifest was linked."""

    def commit(self, checkpoint: CheckpointView) -> CheckpointView:
        super().commit(checkpoint)
        raise StoreUnavailableError("sync failed")


class LinkFails(CheckpointStore):
    """A store whose disk gives an error before the manifest was linked."""

    def commit(self, checkpoint: CheckpointView) -> CheckpointView:
        raise StoreUnavailableError("link failed")


class Forgetful(CheckpointStore):
    """A store whose disk loses a file's last byte once it was read back."""

    def put(self, path: str, content: bytes) -> CheckpointFile:
        file = super().put(path, content)
        self.shelf.replace(f"blobs/{file.sha256[:2]}/{file.sha256}", content[:-1])
        return file


def no_check(files: Mapping[str, bytes]) -> None:
    """For what is not about checks."""


def test_files_are_kept_in_order_and_shown_as_they_read_back(store: CheckpointStore) -> None:
    seen: list[Mapping[str, bytes]] = []

    kept = keep(store, FILES, verify=seen.append)

    assert [(file.path, file.size_bytes) for file in kept] == [("a.json", 2), ("b.bin", 3)]
    assert seen == [FILES]


def test_what_the_disk_made_of_a_file_is_noticed_before_it_is_verified(tmp_path: Path) -> None:
    store = Forgetful(tmp_path)

    with pytest.raises(CorruptFileError, match=r"a\.json reads back"):
        keep(store, FILES, verify=no_check)


def test_the_first_manifest_stands(store: CheckpointStore) -> None:
    first = commit(store, draft(attempt=1))

    assert commit(store, draft(attempt=2)) == first


def test_an_error_after_the_manifest_was_linked_does_not_unpublish_it(
    tmp_path: Path,
) -> None:
    store = SyncFails(tmp_path)

    checkpoint = commit(store, draft())

    assert store.find(checkpoint.id) == checkpoint


def test_an_error_before_the_manifest_was_linked_is_raised(
    tmp_path: Path,
) -> None:
    store = LinkFails(tmp_path)

    with pytest.raises(StoreUnavailableError, match="link failed"):
        commit(store, draft())
