"""`/checkpoints`: manifests and files."""

import http.client
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointFile, CheckpointView
from contract.wire.idempotency import Idempotency
from contract.wire.ids import checkpoint_id_of

LETTERS = "adapter_config.json"
Get = Callable[..., httpx.Response]


@pytest.fixture
def get(api: httpx.Client, checkpoint: CheckpointView) -> Get:
    """Fetch the file of 26 letters with some headers."""

    def get(*, method: str = "GET", path: str = LETTERS, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return api.request(method, f"/checkpoints/{checkpoint.id}/files/{path}", headers=named)

    return get


@pytest.fixture
def letters(checkpoint: CheckpointView) -> CheckpointFile:
    return checkpoint.files[0]


def test_a_checkpoint_is_shown_by_its_manifest(
    api: httpx.Client, checkpoint: CheckpointView
) -> None:
    response = api.get(f"/checkpoints/{checkpoint.id}")

    assert response.status_code == 200
    assert CheckpointView.model_validate_json(response.content) == checkpoint


def test_what_is_kept_of_an_idempotency_key_is_told_to_nobody(
    api: httpx.Client, store: CheckpointStore, checkpoint: CheckpointView
) -> None:
    made_by = Idempotency(key="a" * 64, body="b" * 64, until=checkpoint.created_at)
    kept = {"id": "ckpt-" + "7" * 28, "idempotency": made_by}
    keyed = store.commit(checkpoint.model_copy(update=kept))

    one = api.get(f"/checkpoints/{keyed.id}").json()
    listed = api.get("/checkpoints").json()["items"]
    described = api.get("/openapi.json").json()["components"]["schemas"]

    assert keyed.idempotency == made_by
    assert "idempotency" not in one
    assert [c["id"] for c in listed if "idempotency" not in c] == [keyed.id, checkpoint.id]
    assert "idempotency" not in described["CheckpointView"]["properties"]
    assert "Idempotency" not in described


@pytest.mark.parametrize(
    "checkpoint_id",
    ["ckpt-" + "0" * 28, "ckpt-1", "..%2f..%2fetc%2fpasswd", "%2e%2e", "ckpt-" + "0" * 28 + "%0a"],
)
def test_an_unknown_or_malformed_checkpoint_is_not_found(
    api: httpx.Client, checkpoint_id: str
) -> None:
    manifest = api.get(f"/checkpoints/{checkpoint_id}")
    file = api.get(f"/checkpoints/{checkpoint_id}/files/{LETTERS}")

    assert (manifest.status_code, file.status_code) == (404, 404)
    assert manifest.headers["Content-Type"] == "application/problem+json"


def test_a_file_comes_whole_with_its_digest_as_tag(get: Get, letters: CheckpointFile) -> None:
    response = get()

    assert response.status_code == 200
    assert response.content == b"abcdefghijklmnopqrstuvwxyz"
    assert response.headers["ETag"] == f'"{letters.sha256}"'
    assert response.headers["Content-Length"] == "26"
    assert response.headers["Accept-Ranges"] == "bytes"


def test_a_large_file_in_a_folder_comes_whole(get: Get) -> None:
    response = get(path="weights/adapter.safetensors")

    assert response.content == bytes(i % 256 for i in range(600_000))
    assert response.headers["Content-Type"] == "application/octet-stream"


def test_a_head_tells_the_size_and_sends_nothing(get: Get, letters: CheckpointFile) -> None:
    response = get(method="HEAD")

    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Content-Length"] == "26"
    assert response.headers["ETag"] == f'"{letters.sha256}"'


def test_a_file_that_is_known_is_not_sent_again(get: Get, letters: CheckpointFile) -> None:
    response = get(If_None_Match=f'"{letters.sha256}"', Range="bytes=0-1")

    assert (response.status_code, response.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "content", "told"),
    [
        ("bytes=0-2", b"abc", "bytes 0-2/26"),
        ("bytes=23-", b"xyz", "bytes 23-25/26"),
        ("bytes=-2", b"yz", "bytes 24-25/26"),
        ("bytes=24-900", b"yz", "bytes 24-25/26"),
        (f"bytes=24-{2**63 - 1}", b"yz", "bytes 24-25/26"),
        ("bytes=24-" + "9" * 40, b"yz", "bytes 24-25/26"),
        ("bytes=-" + "9" * 40, b"abcdefghijklmnopqrstuvwxyz", "bytes 0-25/26"),
        ("bytes=-900", b"abcdefghijklmnopqrstuvwxyz", "bytes 0-25/26"),
        ("Bytes=5-5", b"f", "bytes 5-5/26"),
    ],
)
def test_a_range_is_served_in_part(get: Get, asked: str, content: bytes, told: str) -> None:
    response = get(Range=asked)

    assert response.status_code == 206
    assert response.content == content
    assert response.headers["Content-Range"] == told
    assert response.headers["Content-Length"] == str(len(content))


def test_a_range_in_the_middle_of_a_large_file_is_exact(get: Get) -> None:
    response = get(path="weights/adapter.safetensors", Range="bytes=262100-524388")

    assert response.content == bytes(i % 256 for i in range(262_100, 524_389))


@pytest.mark.parametrize(
    "asked",
    ["bytes=26-", "bytes=9-3", "bytes=-0", "bytes=-", "bytes=a-b", "bytes=", "bytes=" + "9" * 40],
)
def test_a_range_that_means_no_byte_is_refused(get: Get, asked: str) -> None:
    response = get(Range=asked)

    assert response.status_code == 416
    assert response.json()["code"] == "range_not_satisfiable"
    assert response.headers["Content-Range"] == "bytes */26"


@pytest.mark.parametrize("asked", ["lines=1-2", "bytes=0-1,4-5", "nonsense"])
def test_other_units_and_several_ranges_get_the_whole_file(get: Get, asked: str) -> None:
    response = get(Range=asked)

    assert (response.status_code, len(response.content)) == (200, 26)


def test_a_range_of_another_version_gets_the_whole_file(get: Get, letters: CheckpointFile) -> None:
    same = get(Range="bytes=0-0", If_Range=f'"{letters.sha256}"')
    weak = get(Range="bytes=0-0", If_Range=f'W/"{letters.sha256}"')
    other = get(Range="bytes=0-0", If_Range='"other"')

    assert [r.status_code for r in (same, weak, other)] == [206, 200, 200]


@pytest.mark.parametrize(
    "path",
    [
        "..%2f..%2f..%2fetc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "../../../etc/passwd",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "..\\..\\etc\\passwd",
        "..%252f..%252fetc%252fpasswd",
        "%00",
        "adapter_config.json%00",
        "adapter_config.json/",
        "weights",
        "weights/",
        "./adapter_config.json",
        "weights/../adapter_config.json",
        "%c0%ae%c0%ae/etc/passwd",
        "",
    ],
)
def test_no_path_leads_out_of_the_manifest(
    api: httpx.Client, checkpoint: CheckpointView, path: str
) -> None:
    # http.client sends the path as it is, where httpx would tidy it up first
    connection = http.client.HTTPConnection(api.base_url.host, api.base_url.port or 80)
    connection.request("GET", f"/checkpoints/{checkpoint.id}/files/{path}")

    response = connection.getresponse()

    body = response.read()
    connection.close()
    assert response.status == 404
    assert b"root:" not in body


def test_a_file_that_is_gone_from_the_store_is_an_error_not_an_empty_file(
    get: Get, letters: CheckpointFile, store: CheckpointStore
) -> None:
    store.shelf.remove(f"blobs/{letters.sha256[:2]}/{letters.sha256}")

    response = get()

    assert response.status_code == 500
    assert response.json()["code"] == "store_corrupt"


def test_a_file_of_another_size_is_not_served(
    get: Get, letters: CheckpointFile, store: CheckpointStore
) -> None:
    blob = f"blobs/{letters.sha256[:2]}/{letters.sha256}"
    store.shelf.replace(blob, b"abc")

    response = get()

    store.shelf.remove(blob)
    assert (response.status_code, response.json()["code"]) == (500, "store_corrupt")


def test_a_list_without_neurons_is_else_the_same(
    api: httpx.Client, checkpoint: CheckpointView
) -> None:
    (whole,) = api.get("/checkpoints").json()["items"]
    (light,) = api.get("/checkpoints", params={"neurons": False}).json()["items"]

    assert len(whole["result"]["neurons"]) == 1
    assert light == whole | {"result": whole["result"] | {"neurons": []}}


def test_a_damaged_manifest_is_reported_is_not_listed_and_can_be_taken_away(
    api: httpx.Client, checkpoint: CheckpointView, store: CheckpointStore
) -> None:
    damaged = f"ckpt-{'7' * 28}"
    store.shelf.replace(f"manifests/{damaged}.json", checkpoint.model_dump_json().encode()[:50])

    shown = api.get(f"/checkpoints/{damaged}")
    listed = [item["id"] for item in api.get("/checkpoints").json()["items"]]
    removed = api.delete(f"/checkpoints/{damaged}")

    assert (shown.status_code, shown.json()["code"]) == (500, "store_corrupt")
    assert listed and damaged not in listed
    assert removed.status_code == 204
    assert api.get(f"/checkpoints/{damaged}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/checkpoints"),
        ("GET", f"/checkpoints/ckpt-{'7' * 28}"),
        ("GET", f"/checkpoints/ckpt-{'7' * 28}/model"),
        ("GET", f"/checkpoints/ckpt-{'7' * 28}/files/a"),
        ("DELETE", f"/checkpoints/ckpt-{'7' * 28}"),
    ],
)
def test_a_store_that_cannot_be_read_is_reported_as_such(
    serve: Callable[..., httpx.Client], tmp_path: Path, method: str, path: str
) -> None:
    client = serve(data_dir=tmp_path / "broken")
    manifests = tmp_path / "broken" / "manifests"
    shutil.rmtree(manifests, ignore_errors=True)
    manifests.parent.mkdir(exist_ok=True)
    manifests.write_text("no directory")

    response = client.request(method, path)

    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    assert str(tmp_path) not in response.text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_that_cannot_be_opened_is_reported_before_it_is_sent(
    api: httpx.Client,
    publish: Callable[..., str],
    store: CheckpointStore,
    _data_dir: Path,
    tmp_path: Path,
    method: str,
) -> None:
    in_the_way = tmp_path / "folder"
    in_the_way.mkdir()
    file = store.put("a", b"a" * in_the_way.stat().st_size)
    edit_id = publish(files=(file,))
    (blob,) = _data_dir.rglob(file.sha256)
    blob.unlink()
    in_the_way.rename(blob)

    response = api.request(method, f"/checkpoints/{checkpoint_id_of(edit_id)}/files/a")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
