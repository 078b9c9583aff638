"""Bringing the files of a checkpoint home, whole or not at all."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import quote

import httpx

from contract.wire.checkpoints import CheckpointFile, CheckpointView
from palimpsest.errors import DownloadError
from palimpsest.transport.calls import Call, Caller


class Arrival:
    """A file on its way in, hashed as it comes; one that breaks off begins anew."""

    def __init__(self, partial: Path) -> None:
        self._partial = partial
        self._digest = hashlib.sha256()

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        self._digest = hashlib.sha256()
        with self._partial.open("wb") as out:
            yield out

    def take(self, out: BinaryIO, chunk: bytes) -> None:
        self._digest.update(chunk)
        out.write(chunk)

    def check(self, file: CheckpointFile) -> None:
        """Raises `DownloadError` unless it is what the manifest says."""
        found = self._digest.hexdigest()
        if found != file.sha256:
            reason = f"arrived with SHA-256 {found}, the manifest says {file.sha256}"
            raise DownloadError(file.path, reason=reason)


def download(caller: Caller, checkpoint: CheckpointView, directory: Path) -> None:
    """Write every file of the manifest under `directory`; a wrong one is left out and raised."""
    for file in checkpoint.files:
        with arriving(file, directory) as arrival:

            def write(response: httpx.Response, arrival: Arrival = arrival) -> None:
                with arrival.opened() as out:
                    for chunk in response.iter_bytes():
                        arrival.take(out, chunk)

            caller.answer(file_call(checkpoint.id, file), receive=write)


@contextmanager
def arriving(file: CheckpointFile, directory: Path) -> Iterator[Arrival]:
    """A place for a file to arrive at; it gets its name when it is whole."""
    target = directory / local_path(file.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    try:
        arrival = Arrival(partial)
        yield arrival
        arrival.check(file)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def file_call(checkpoint_id: str, file: CheckpointFile) -> Call:
    return Call("GET", f"/checkpoints/{checkpoint_id}/files/{quote(file.path)}")


def local_path(path: str) -> PurePosixPath:
    """The path of a file below the directory; raises if it would lead out of there."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts):
        raise DownloadError(path, reason="is not a path inside a checkpoint")
    return PurePosixPath(*parts)
