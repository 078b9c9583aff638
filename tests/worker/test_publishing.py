from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake_editor import FakeAdapter, FakeResult

from contract.edits import EditRequest
from contract.store import CheckpointStore
from contract.views import CheckpointView, EditResult
from worker.publishing import publish

FILES = {"b.bin": b"two", "a.json": b"{}"}


def draft(*, attempt: int = 1) -> CheckpointView:
    return CheckpointView(
        id="ckpt-" + "0" * 28,
        edit_id="edit-" + "0" * 28,
        model="demo",
        base_digest="b" * 64,
        files=(),
        request=EditRequest(prompt="The capital of France is", target_new="Rome"),
        attempt=attempt,
        result=EditResult.model_validate(FakeResult("held", FakeAdapter(b"")).as_json()),
        code_version="1",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


class SyncFails(CheckpointStore):
    """A store whose disk gives an error just after the manifest was linked."""

    def commit(self, checkpoint: CheckpointView) -> CheckpointView:
        super().commit(checkpoint)
        raise OSError("sync failed")


class LinkFails(CheckpointStore):
    """A store whose disk gives an error before the manifest was linked."""

    def commit(self, checkpoint: CheckpointView) -> CheckpointView:
        raise OSError("link failed")


def test_files_are_kept_in_order_and_named_by_the_manifest(store: CheckpointStore) -> None:
    checkpoint = publish(store, draft(), FILES)

    assert [(file.path, file.size_bytes) for file in checkpoint.files] == [
        ("a.json", 2),
        ("b.bin", 3),
    ]
    assert store.find(checkpoint.id) == checkpoint


def test_the_first_manifest_stands(store: CheckpointStore) -> None:
    first = publish(store, draft(attempt=1), FILES)

    assert publish(store, draft(attempt=2), {"a.json": b"other"}) == first


def test_an_error_after_the_manifest_was_linked_does_not_unpublish_it(
    tmp_path: Path,
) -> None:
    store = SyncFails(tmp_path)
    store.prepare()

    checkpoint = publish(store, draft(), FILES)

    assert store.find(checkpoint.id) == checkpoint


def test_an_error_before_the_manifest_was_linked_is_raised(
    tmp_path: Path,
) -> None:
    store = LinkFails(tmp_path)
    store.prepare()

    with pytest.raises(OSError, match="link failed"):
        publish(store, draft(), FILES)
