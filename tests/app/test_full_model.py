"""`/checkpoints/{id}/model`: the edited model, made on its way out."""

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from edited_base import (
    COLUMNS,
    DOWN_0,
    DOWN_1,
    ROWS,
    SHARD_1,
    SHARD_2,
    SHARDS,
    WANTED,
    base_of,
    commit,
    drawn,
    write_base,
)
from safetensors_files import file_of

from app.files.safetensors import LONGEST_HEADER_BYTES
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import BaseFile, BaseView, CheckpointView

Get = Callable[..., httpx.Response]


@pytest.fixture
def full(
    api: httpx.Client, store: CheckpointStore, checkpoint: CheckpointView, base_dir: Path
) -> Get:
    """Fetch a file of the edited model with some headers."""
    store.put_base(base_of(base_dir, "a" * 64))
    committed = commit(store, checkpoint, digest="a" * 64)

    def get(path: str = SHARD_1, *, method: str = "GET", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return api.request(method, f"/checkpoints/{committed.id}/model/{path}", headers=named)

    return get


def test_a_shard_comes_with_its_columns_edited(full: Get) -> None:
    response = full()

    assert response.status_code == 200
    assert response.content == WANTED
    assert response.headers["Content-Length"] == str(len(WANTED))


@pytest.mark.parametrize("name", [SHARD_2, "config.json"])
def test_a_file_without_edits_comes_as_the_base_has_it(
    full: Get, base_dir: Path, name: str
) -> None:
    response = full(name)

    content = (base_dir / name).read_bytes()
    assert response.content == content
    assert response.headers["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'


def test_the_files_are_listed_with_their_sizes_and_tags(full: Get, api: httpx.Client) -> None:
    tag = full(method="HEAD").headers["ETag"]

    listed = api.get(f"/checkpoints/ckpt-{'a' * 28}/model").json()["items"]

    assert [file["path"] for file in listed] == ["config.json", SHARD_1, SHARD_2]
    assert (listed[1]["size_bytes"], f'"{listed[1]["etag"]}"') == (len(WANTED), tag)


def test_every_range_is_that_of_the_whole(full: Get) -> None:
    draw = random.Random(5)
    starts = [0, 1, 7, 8, 300, len(WANTED) - 1, *(draw.randrange(len(WANTED)) for _ in range(20))]
    for start in starts:
        stop = min(start + draw.choice([1, 2, 1801, 5000, 1 << 21]), len(WANTED))

        response = full(Range=f"bytes={start}-{stop - 1}")

        assert response.status_code == 206
        assert response.content == WANTED[start:stop], (start, stop)
        assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(WANTED)}"


def test_a_download_that_was_cut_off_goes_on_where_it_was(full: Get) -> None:
    etag = full(method="HEAD").headers["ETag"]
    first = full(Range="bytes=0-1234566").content

    rest = full(Range="bytes=1234567-", If_Range=etag)

    assert rest.status_code == 206
    assert first + rest.content == WANTED


def test_a_range_beyond_the_end_is_refused(full: Get) -> None:
    response = full(Range=f"bytes={len(WANTED)}-")

    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{len(WANTED)}"


def test_what_is_known_is_not_sent_again(full: Get) -> None:
    response = full(If_None_Match=full(method="HEAD").headers["ETag"])

    assert (response.status_code, response.content) == (304, b"")


def test_other_columns_on_the_same_base_have_another_tag(
    full: Get, api: httpx.Client, store: CheckpointStore, checkpoint: CheckpointView, base_dir: Path
) -> None:
    store.put_base(base_of(base_dir, "b" * 64))
    other = commit(
        store,
        checkpoint,
        digest="b" * 64,
        columns={DOWN_0: drawn(2, ROWS, 9), DOWN_1: COLUMNS[DOWN_1]},
    )

    tags = [
        full(method="HEAD").headers["ETag"],
        api.head(f"/checkpoints/{other.id}/model/{SHARD_1}").headers["ETag"],
    ]

    assert tags[0] != tags[1]


@pytest.mark.parametrize("path", ["nothing", "../config.json", "%2e%2e/config.json", ""])
def test_no_path_leads_out_of_the_list(full: Get, path: str) -> None:
    assert full(path).status_code == 404


def refused(api: httpx.Client, checkpoint: CheckpointView) -> tuple[int, str]:
    response = api.get(f"/checkpoints/{checkpoint.id}/model/{SHARD_1}")
    return response.status_code, response.json()["code"]


def test_a_base_that_no_worker_told_of_is_unavailable(
    api: httpx.Client, store: CheckpointStore, checkpoint: CheckpointView
) -> None:
    committed = commit(store, checkpoint, digest="c" * 64)

    assert refused(api, committed) == (503, "base_unavailable")


@pytest.mark.parametrize("harm", ["gone", "longer", "touched"])
def test_a_base_that_changed_is_not_served(
    api: httpx.Client, store: CheckpointStore, checkpoint: CheckpointView, tmp_path: Path, harm: str
) -> None:
    for name, tensors in SHARDS.items():
        (tmp_path / name).write_bytes(file_of(tensors))
    store.put_base(base_of(tmp_path, "d" * 64))
    committed = commit(store, checkpoint, digest="d" * 64)

    shard = tmp_path / SHARD_1
    match harm:
        case "gone":
            shard.unlink()
        case "longer":
            shard.write_bytes(shard.read_bytes() + b"x")
        case "touched":
            shard.write_bytes(shard.read_bytes())

    assert refused(api, committed) == (503, "base_unavailable")


def test_a_base_that_breaks_off_while_it_is_read_is_reported_as_the_bases_fault(
    api: httpx.Client, store: CheckpointStore, checkpoint: CheckpointView, tmp_path: Path
) -> None:
    # Reading one's own memory at address 0 is an I/O error.
    (tmp_path / SHARD_1).symlink_to("/proc/self/mem")
    changed_ns = (tmp_path / SHARD_1).stat().st_mtime_ns
    shard = BaseFile(path=SHARD_1, sha256="a" * 64, size_bytes=0, changed_ns=changed_ns)
    store.put_base(BaseView(digest="a" * 64, location=str(tmp_path), files=(shard,)))
    committed = commit(store, checkpoint, digest="a" * 64)

    assert refused(api, committed) == (503, "base_unavailable")


def test_a_base_of_another_dtype_is_refused_with_both_named(
    api: httpx.Client, store: CheckpointStore, checkpoint: CheckpointView, base_dir: Path
) -> None:
    store.put_base(base_of(base_dir, "e" * 64))
    committed = commit(store, checkpoint, digest="e" * 64, dtype="F16")

    response = api.get(f"/checkpoints/{committed.id}/model/{SHARD_1}")

    assert (response.status_code, response.json()["code"]) == (409, "full_model_unavailable")
    assert "stored in BF16 and was edited in F16" in response.json()["detail"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\x05", (LONGEST_HEADER_BYTES + 1).to_bytes(8, "little"), b"\2\0\0\0\0\0\0\0[]"],
)
def test_a_base_that_is_not_safetensors_is_refused(
    api: httpx.Client,
    store: CheckpointStore,
    checkpoint: CheckpointView,
    tmp_path: Path,
    content: bytes,
) -> None:
    (tmp_path / SHARD_1).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    store.put_base(base_of(tmp_path, digest))
    committed = commit(store, checkpoint, digest=digest)

    assert refused(api, committed) == (409, "full_model_unavailable")


def test_a_base_without_an_edited_weight_is_refused(
    api: httpx.Client, store: CheckpointStore, checkpoint: CheckpointView, base_dir: Path
) -> None:
    store.put_base(base_of(base_dir, "f" * 64))
    committed = commit(store, checkpoint, digest="f" * 64, columns={"elsewhere": [[1]]})

    assert refused(api, committed) == (409, "full_model_unavailable")


def test_a_checkpoint_without_columns_has_no_full_model(
    api: httpx.Client, store: CheckpointStore, checkpoint: CheckpointView, base_dir: Path
) -> None:
    store.put_base(base_of(base_dir, checkpoint.base_digest))

    assert refused(api, checkpoint) == (409, "full_model_unavailable")


@pytest.mark.parametrize("name", [SHARD_1, SHARD_2, "config.json"])
def test_a_file_of_the_base_that_cannot_be_opened_is_not_taken_for_the_stores(
    api: httpx.Client, store: CheckpointStore, checkpoint: CheckpointView, tmp_path: Path, name: str
) -> None:
    write_base(tmp_path)
    plain = base_of(tmp_path, "b" * 64)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    stat = (tmp_path / name).stat()
    same = {"size_bytes": stat.st_size, "changed_ns": stat.st_mtime_ns}
    files = (f.model_copy(update=same) if f.path == name else f for f in plain.files)
    store.put_base(plain.model_copy(update={"files": tuple(files)}))
    committed = commit(store, checkpoint, digest="b" * 64)

    response = api.get(f"/checkpoints/{committed.id}/model/{name}")

    assert (response.status_code, response.json()["code"]) == (503, "base_unavailable")
    assert str(tmp_path) not in response.text
