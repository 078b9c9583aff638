"""`/hub`: which repositories there are, and how a client is told that something is not there."""

from pathlib import Path

import httpx
import pytest
from edited_base import SHARD_1, WANTED, base_of, commit

from contract.ledger.ledger import Ledger
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointView
from contract.wire.serving import ModelView, WorkerView


@pytest.fixture
def edited(
    api: httpx.Client, store: CheckpointStore, checkpoint: CheckpointView, base_dir: Path
) -> CheckpointView:
    """A checkpoint whose full model can be made; `demo` is the model of its base."""
    store.put_base(base_of(base_dir, "0" * 64))
    return commit(store, checkpoint, digest="0" * 64)


@pytest.fixture
def other(ledger: Ledger, model: ModelView) -> ModelView:
    """Another model with the same base, which has no workers."""
    other = model.model_copy(update={"name": "team/other"})
    ledger.presence.publish_model(other)
    return other


def sha_of(api: httpx.Client, repo_id: str) -> str:
    response = api.get(f"/hub/api/models/{repo_id}")
    assert response.status_code == 200, response.text
    return str(response.json()["sha"])


def missing(api: httpx.Client, path: str) -> tuple[int, str]:
    response = api.get(f"/hub/{path}")
    return response.status_code, response.headers.get("X-Error-Code", "")


def test_a_file_comes_by_branch_and_by_commit(api: httpx.Client, edited: CheckpointView) -> None:
    repo_id = f"palimpsest/{edited.id}"
    commit_sha = sha_of(api, repo_id)

    for revision in ("main", commit_sha):
        response = api.get(f"/hub/{repo_id}/resolve/{revision}/{SHARD_1}")
        assert response.content == WANTED
        assert response.headers["X-Repo-Commit"] == commit_sha


@pytest.mark.parametrize("slash", ["/", "%2F"])
def test_the_branch_is_found_by_its_full_name_too(
    api: httpx.Client, edited: CheckpointView, slash: str
) -> None:
    repo_id, branch = f"palimpsest/{edited.id}", slash.join(("refs", "heads", "main"))
    commit_sha = sha_of(api, repo_id)

    file = api.get(f"/hub/{repo_id}/resolve/{branch}/{SHARD_1}")
    model = api.get(f"/hub/api/models/{repo_id}/revision/{branch}")
    tree = api.get(f"/hub/api/models/{repo_id}/tree/{branch}")

    assert (file.content, file.headers["X-Repo-Commit"]) == (WANTED, commit_sha)
    assert model.json()["sha"] == commit_sha
    assert SHARD_1 in [entry["path"] for entry in tree.json()]


def test_a_repository_is_found_by_the_edit_s_id_too(
    api: httpx.Client, checkpoint: CheckpointView
) -> None:
    by_edit = api.get(f"/hub/api/models/palimpsest/{checkpoint.edit_id}-lora").json()

    assert by_edit["sha"] == sha_of(api, f"palimpsest/{checkpoint.id}-lora")
    assert [file["rfilename"] for file in by_edit["siblings"]] == [
        file.path for file in checkpoint.files
    ]


def test_the_adapter_s_repository_holds_no_columns(
    api: httpx.Client, edited: CheckpointView
) -> None:
    assert api.get(f"/hub/api/models/palimpsest/{edited.id}-lora").json()["siblings"] == []


def test_the_base_is_there_under_its_name_and_as_the_only_one(
    api: httpx.Client, edited: CheckpointView
) -> None:
    tree = api.get("/hub/api/models/demo/tree/main").json()

    assert [entry["path"] for entry in tree] == sorted(entry["path"] for entry in tree)
    assert SHARD_1 in [entry["path"] for entry in tree]
    assert sha_of(api, "palimpsest/base") == sha_of(api, "demo")
    assert sha_of(api, "demo") != sha_of(api, f"palimpsest/{edited.id}")


def test_the_base_that_is_meant_is_the_one_with_workers(
    api: httpx.Client, edited: CheckpointView, served: ModelView, other: ModelView
) -> None:
    assert sha_of(api, "palimpsest/base") == sha_of(api, "demo")


def test_which_base_is_meant_has_to_be_said_where_there_are_two(
    api: httpx.Client,
    edited: CheckpointView,
    ledger: Ledger,
    other: ModelView,
    worker: WorkerView,
) -> None:
    of_other = worker.model_copy(update={"id": "worker-2", "model": other.name})
    ledger.presence.publish_worker(of_other, ttl_s=60)

    assert missing(api, "api/models/palimpsest/base") == (404, "RepoNotFound")
    assert sha_of(api, "team/other") == sha_of(api, "demo")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("api/models/palimpsest/ckpt-" + "57" * 14, "RepoNotFound"),
        ("api/models/palimpsest/%2e%2e", "RepoNotFound"),
        ("palimpsest/nothing/resolve/main/config.json", "RepoNotFound"),
        ("demo/resolve/v2/config.json", "RevisionNotFound"),
        ("api/models/demo/revision/v2", "RevisionNotFound"),
        ("api/models/demo/tree/v2", "RevisionNotFound"),
        ("demo/resolve/refs%2Fpr%2F1/config.json", "RevisionNotFound"),
        ("demo/resolve/refs/heads/v2/config.json", "RevisionNotFound"),
        ("api/models/demo/revision/refs%2Fpr%2F1", "RevisionNotFound"),
        ("api/models/demo/revision/refs/heads/feature/x", "RevisionNotFound"),
        ("api/models/demo/revision/feature%2Fx", "RevisionNotFound"),
        ("api/models/demo/tree/refs%2Fpr%2F1", "RevisionNotFound"),
        ("api/models/demo/tree/refs/heads/v2/folder", "RevisionNotFound"),
        ("api/models/nothing/tree/refs/heads/main", "RepoNotFound"),
        ("demo/resolve/main/nothing.json", "EntryNotFound"),
        ("demo/resolve/refs%2Fheads%2Fmain/nothing.json", "EntryNotFound"),
        ("api/models/demo/tree/refs/heads/main/folder", "EntryNotFound"),
        ("api/models/demo/tree/main/folder/within", "EntryNotFound"),
        ("demo/resolve/main/..%2f..%2fetc%2fpasswd", "EntryNotFound"),
        ("api/models/demo/tree/main/folder", "EntryNotFound"),
    ],
)
def test_what_is_not_there_is_reported_as_clients_understand_it(
    api: httpx.Client, edited: CheckpointView, path: str, kind: str
) -> None:
    assert missing(api, path) == (404, kind)


def test_nothing_can_be_written(api: httpx.Client, edited: CheckpointView) -> None:
    for method in ("POST", "PUT", "DELETE"):
        response = api.request(method, f"/hub/palimpsest/{edited.id}/resolve/main/config.json")
        assert response.status_code == 405
