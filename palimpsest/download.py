"""Bringing the files of a checkpoint home, whole or not at all."""

import hashlib
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import httpx

from contract.checkpoints import CheckpointFile, CheckpointView
from palimpsest.calls import Call, Caller
from palimpsest.errors import DownloadError


def download(caller: Caller, checkpoint: CheckpointView, directory: Path) -> None:
    """Write every file of the manifest under `directory`; a wrong one is left out and raised."""
    for file in checkpoint.files:
        target = directory / local_path(file.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.part")
        try:
            _fetch(caller, checkpoint.id, file=file, into=partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def local_path(path: str) -> PurePosixPath:
    """The path of a file below the directory; raises if it would lead out of there."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts):
        raise DownloadError(path, reason="is not a path inside a checkpoint")
    return PurePosixPath(*parts)


def _fetch(caller: Caller, checkpoint_id: str, *, file: CheckpointFile, into: Path) -> None:
    found = ""

    def write(response: httpx.Response) -> None:
        nonlocal found
        digest = hashlib.sha256()
        with into.open("wb") as out:
            for chunk in response.iter_bytes():
                digest.update(chunk)
                out.write(chunk)
        found = digest.hexdigest()

    caller.answer(
        Call("GET", f"/checkpoints/{checkpoint_id}/files/{quote(file.path)}"), receive=write
    )
    if found != file.sha256:
        reason = f"arrived with SHA-256 {found}, the manifest says {file.sha256}"
        raise DownloadError(file.path, reason=reason)
