"""The shelf: named bytes in a local directory, or on any file system that fsspec knows."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem


class Entry(NamedTuple):
    """Something that lies on the shelf."""

    name: str
    size_bytes: int


class Shelf:
    """Bytes under names such as `folder/name`; each is written whole or not at all.

    This one trusts the file system to be durable and to write in one step, as object stores do.
    """

    def __init__(self, fs: AbstractFileSystem, root: str) -> None:
        self._fs = fs
        self._root = root.rstrip("/")

    @classmethod
    def at(cls, location: Path | str) -> "Shelf":
        """The shelf at a path or a URL (`s3://bucket/folder`)."""
        # Other processes write too: what was listed a while ago is no longer true.
        fs, root = url_to_fs(str(location), use_listings_cache=False)
        return LocalShelf(fs, root) if isinstance(fs, LocalFileSystem) else cls(fs, root)

    def create(self, name: str, content: bytes) -> None:
        """Write what was not there; raises `FileExistsError`, also to all but one of many who
        try at once."""
        self._fs.pipe_file(self._path(name), content, mode="create")

    def replace(self, name: str, content: bytes) -> None:
        """Write, whatever was there."""
        self._fs.pipe_file(self._path(name), content)

    def keep(self, name: str, content: bytes) -> None:
        """Write what is always the same, so that it counts as new."""
        self.replace(name, content)

    def open(self, name: str) -> BinaryIO:
        """A seekable reader; raises `FileNotFoundError`."""
        return cast(BinaryIO, self._fs.open(self._path(name), "rb"))

    def read(self, name: str) -> bytes:
        """All of it; raises `FileNotFoundError`."""
        with self.open(name) as file:
            return file.read()

    def changed_s(self, name: str) -> float:
        """When it was last written, in Unix seconds; raises `FileNotFoundError`."""
        return float(self._fs.modified(self._path(name)).timestamp())

    def remove(self, name: str) -> None:
        """Take it away, if it is there."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(self._path(name))

    def entries(self, folder: str) -> Iterator[Entry]:
        """All that lies in a folder, however deep, by name; raises `OSError` where it is there and
        cannot be read: it is not empty then."""
        found = self._fs.find(self._path(folder), detail=True) or self._lying_in(folder)
        for path, info in sorted(found.items()):
            yield Entry(path[len(self._root) + 1 :], int(info["size"]))

    def _lying_in(self, folder: str) -> dict[str, dict[str, Any]]:
        """The files of a folder itself: to `find`, one that cannot be read is an empty one."""
        try:
            listed = self._fs.ls(self._path(folder), detail=True)
        except FileNotFoundError:
            return {}
        return {info["name"]: info for info in listed if info["type"] != "directory"}

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


class LocalShelf(Shelf):
    """A directory: files are synced before they get their name, and the name is synced too."""

    def create(self, name: str, content: bytes) -> None:
        with self._written(name, content) as temporary:
            os.link(temporary, self._path(name))  # unlike a rename, never replaces

    def replace(self, name: str, content: bytes) -> None:
        with self._written(name, content) as temporary:
            temporary.replace(self._path(name))

    def keep(self, name: str, content: bytes) -> None:
        try:
            os.utime(self._path(name))
        except FileNotFoundError:
            self.replace(name, content)

    def open(self, name: str) -> BinaryIO:
        return Path(self._path(name)).open("rb")

    def entries(self, folder: str) -> Iterator[Entry]:
        found = (
            Path(directory, name)
            for directory, _, names in os.walk(self._path(folder), onerror=_unless_missing)
            for name in names
        )
        for path in sorted(found):
            with suppress(FileNotFoundError):  # taken away meanwhile
                yield Entry(str(path.relative_to(self._root)), path.stat().st_size)

    @contextmanager
    def _written(self, name: str, content: bytes) -> Iterator[Path]:
        """A synced temporary file beside the target, which is given its name inside the block."""
        target = Path(self._path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)
            _sync_directory(target.parent)


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
