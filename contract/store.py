"""The checkpoint store: files found by their content, and manifests that commit them."""

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from contract.views import CheckpointFile, CheckpointView

_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_CHECKPOINT_ID = re.compile(r"^ckpt-[0-9a-f]{28}$")


class StoreError(Exception):
    """Root of the store's errors.

    StoreError
    └── CorruptFileError
    """


class CorruptFileError(StoreError):
    """A file does not read back as what was written."""

    def __init__(self, path: str, *, expected: str, found: str) -> None:
        self.path = path
        super().__init__(f"{path} reads back with SHA-256 {found}, not {expected}")


class CheckpointStore:
    """A directory that holds no torn checkpoint: the manifest comes last, whole, and only once.

    `blobs/ab/abcd…` are files named by their SHA-256, `manifests/<checkpoint id>.json` name them.
    No path that a user sends is ever joined to the directory.
    """

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self._manifests = root / "manifests"

    def prepare(self) -> None:
        """Make the directories."""
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._manifests.mkdir(parents=True, exist_ok=True)

    def put(self, path: str, content: bytes) -> CheckpointFile:
        """Keep `content` under the name `path`: written, synced, read back; raises `OSError`
        when the disk is full and `CorruptFileError` when the bytes do not come back."""
        file = CheckpointFile(path=path, sha256=_sha256(content), size_bytes=len(content))
        blob = self.blob(file.sha256)
        if not blob.exists():
            blob.parent.mkdir(exist_ok=True)
            with _written(blob, content) as temporary:
                temporary.replace(blob)
            _sync_directory(blob.parent)
        self.read(file)
        return file

    def read(self, file: CheckpointFile) -> bytes:
        """A file's content; raises `CorruptFileError` unless it is what the manifest says."""
        content = self.blob(file.sha256).read_bytes()
        found = _sha256(content)
        if found != file.sha256:
            self.blob(file.sha256).unlink()  # never serve it; a retry writes it again
            raise CorruptFileError(file.path, expected=file.sha256, found=found)
        return content

    def commit(self, checkpoint: CheckpointView) -> CheckpointView:
        """Publish a checkpoint, once: returns the one that stands, which an earlier attempt
        may have committed."""
        manifest = self._manifest(checkpoint.id)
        content = checkpoint.model_dump_json(indent=1).encode()
        with _written(manifest, content) as temporary, suppress(FileExistsError):
            os.link(temporary, manifest)  # unlike a rename, never replaces
        _sync_directory(self._manifests)
        committed = self.find(checkpoint.id)
        assert committed is not None
        return committed

    def find(self, checkpoint_id: str) -> CheckpointView | None:
        """A committed checkpoint; None for an unknown or malformed id."""
        if not _CHECKPOINT_ID.match(checkpoint_id):
            return None
        try:
            return CheckpointView.model_validate_json(self._manifest(checkpoint_id).read_bytes())
        except FileNotFoundError:
            return None

    def blob(self, sha256: str) -> Path:
        """Where the content of that digest lies."""
        assert _SHA256.match(sha256)
        return self._blobs / sha256[:2] / sha256

    def _manifest(self, checkpoint_id: str) -> Path:
        return self._manifests / f"{checkpoint_id}.json"


@contextmanager
def _written(target: Path, content: bytes) -> Iterator[Path]:
    """A synced temporary file beside `target`; removed afterwards if it still has that name."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
