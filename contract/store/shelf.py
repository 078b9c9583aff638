"""The shelf: named bytes in a local directory, or on any file system that fsspec knows."""

import errno
import io
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple, cast

from fsspec import AbstractFileSystem
from rq.timeouts import BaseTimeoutException

from contract.store.errors import StoreError, StoreFullError, StoreUnavailableError
from contract.store.opening import Opening, Place

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class Entry(NamedTuple):
    """Something that lies on the shelf."""

    name: str
    size_bytes: int


class Shelf:
    """Bytes under names such as `folder/name`; each is written whole or not at all.

    This one trusts the file system to be durable and to write in one step, as object stores do.
    Whatever goes wrong with the file system is told as `StoreUnavailableError`.
    """

    _faults: ClassVar[tuple[type[Exception], ...]] = (Exception,)
    """What a file system may raise: those of services have errors of their own."""

    def __init__(self, fs: AbstractFileSystem, root: str) -> None:
        self._given = Place(fs, root.rstrip("/"))

    @classmethod
    def at(cls, location: Path | str) -> "Shelf":
        """The shelf at a path or a URL (`s3://bucket/folder`); raises `UnknownStoreError`."""
        opening = Opening.of(str(location))
        return LocalShelf(*opening()) if opening.is_local else DistantShelf(opening)

    @property
    def _place(self) -> Place:
        return self._given

    @property
    def _fs(self) -> AbstractFileSystem:
        return self._place.fs

    @property
    def _root(self) -> str:
        return self._place.root

    def create(self, name: str, content: bytes) -> None:
        """Write what was not there; raises `FileExistsError`, also to all but one of many who
        try at once."""
        with self._translated_errors(FileExistsError):
            self._fs.pipe_file(self._path(name), content, mode="create")

    def replace(self, name: str, content: bytes) -> None:
        """Write, whatever was there."""
        with self._translated_errors():
            self._fs.pipe_file(self._path(name), content)

    def keep(self, name: str, content: bytes) -> None:
        """Write what is always the same, so that it counts as new."""
        self.replace(name, content)

    def open(self, name: str) -> BinaryIO:
        """A seekable reader; raises `FileNotFoundError`."""
        with self._translated_errors(FileNotFoundError):
            return cast(BinaryIO, _Reader(self._opened(name), self._translated_errors))

    def read(self, name: str) -> bytes:
        """All of it; raises `FileNotFoundError`."""
        with self.open(name) as file:
            return file.read()

    def changed_s(self, name: str) -> float:
        """When it was last written, in Unix seconds; raises `FileNotFoundError`."""
        with self._translated_errors(FileNotFoundError):
            return float(self._fs.modified(self._path(name)).timestamp())

    def remove(self, name: str) -> None:
        """Take it away, if it is there."""
        with self._translated_errors(), suppress(FileNotFoundError):
            self._fs.rm_file(self._path(name))

    def entries(self, folder: str) -> Iterator[Entry]:
        """All that lies in a folder, however deep, by name; raises `StoreUnavailableError` where it
        is there and cannot be read: it is not empty then."""
        with self._translated_errors():
            if self._fs.async_impl:  # an object store: it has no folders, and lists all at once
                found = self._fs.find(self._path(folder), detail=True)
            else:
                found = dict(self._below(self._path(folder)))
        for path, info in sorted(found.items()):
            yield Entry(path[len(self._root) + 1 :], int(info["size"]))

    def _below(self, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The files of a folder; to `find`, one that cannot be read is an empty one."""
        try:
            listed = self._fs.ls(path, detail=True)
        except FileNotFoundError:
            return
        for info in listed:
            is_folder = info["type"] == "directory"
            yield from self._below(info["name"]) if is_folder else [(info["name"], info)]

    def _opened(self, name: str) -> BinaryIO:
        return cast(BinaryIO, self._fs.open(self._path(name), "rb"))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _translated_errors(self, *expected: type[Exception]) -> Iterator[None]:
        """Errors as the store's own, but for what is expected here and an alarm that strikes."""
        try:
            yield
        except (*expected, StoreError, BaseTimeoutException):
            raise
        except self._faults as error:
            raise _unavailable(error) from error


class DistantShelf(Shelf):
    """A service, which is called when it is asked for something, and anew after it failed."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    @cached_property
    def _place(self) -> Place:
        return self._opening()

    @contextmanager
    def _translated_errors(self, *expected: type[Exception]) -> Iterator[None]:
        try:
            with super()._translated_errors(*expected):
                yield
        except StoreUnavailableError:
            self.__dict__.pop("_place", None)  # with its connection, which may be broken
            raise


class LocalShelf(Shelf):
    """A directory: files are synced before they get their name, and the name is synced too."""

    _faults = (OSError,)

    def create(self, name: str, content: bytes) -> None:
        with self._written(name, content) as temporary:
            os.link(temporary, self._path(name))  # unlike a rename, never replaces

    def replace(self, name: str, content: bytes) -> None:
        with self._written(name, content) as temporary:
            temporary.replace(self._path(name))

    def keep(self, name: str, content: bytes) -> None:
        try:
            with self._translated_errors(FileNotFoundError):
                os.utime(self._path(name))
        except FileNotFoundError:
            self.replace(name, content)

    def entries(self, folder: str) -> Iterator[Entry]:
        with self._translated_errors():
            found = [
                Path(directory, name)
                for directory, _, names in os.walk(self._path(folder), onerror=_unless_missing)
                for name in names
            ]
        for path in sorted(found):
            with self._translated_errors(), suppress(FileNotFoundError):  # taken away meanwhile
                yield Entry(str(path.relative_to(self._root)), path.stat().st_size)

    def _opened(self, name: str) -> BinaryIO:
        return Path(self._path(name)).open("rb")

    @contextmanager
    def _written(self, name: str, content: bytes) -> Iterator[Path]:
        """A synced temporary file beside the target, which is given its name inside the block."""
        target = Path(self._path(name))
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        with self._translated_errors():
            target.parent.mkdir(parents=True, exist_ok=True)
        with self._translated_errors(FileExistsError):
            try:
                _write_synced(temporary, content)
                yield temporary
            finally:
                temporary.unlink(missing_ok=True)
                _sync_directory(target.parent)


class _Reader(io.RawIOBase):
    """An open file of a shelf, whose errors are the shelf's."""

    def __init__(
        self, file: BinaryIO, translated_errors: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._file = file
        self._translated_errors = translated_errors

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with self._translated_errors():
            return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        with self._translated_errors():
            return self._file.read(size)

    def close(self) -> None:
        self._file.close()
        super().close()


def _unavailable(error: Exception) -> StoreUnavailableError:
    # The text of an error may name a path or an address of this machine; its reason does not.
    reason = getattr(error, "strerror", None) or type(error).__name__
    is_full = isinstance(error, OSError) and error.errno in _NO_ROOM
    return StoreFullError(reason) if is_full else StoreUnavailableError(reason)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
