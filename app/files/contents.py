"""What can be served as a file: bytes of a known size and tag, read a piece at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from app.checkpoint_errors import BaseUnavailableError, FileDamagedError
from app.files.ranges import Span
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import BaseFile, CheckpointFile

CHUNK_BYTES = 1024 * 1024


class Content(Protocol):
    """One file; two with the same tag have the same bytes."""

    @property
    def path(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def tag(self) -> str: ...
    def check(self) -> None:
        """Raise an `ApiError` unless the bytes are there to be read."""
        ...

    def chunks(self, span: Span) -> Iterator[bytes]:
        """The bytes of a span; fewer, when the file is cut short meanwhile."""
        ...


@dataclass(frozen=True, slots=True)
class StoredContent:
    """A file of a checkpoint, as it lies in the store."""

    file: CheckpointFile
    store: CheckpointStore

    @property
    def path(self) -> str:
        return self.file.path

    @property
    def size_bytes(self) -> int:
        return self.file.size_bytes

    @property
    def tag(self) -> str:
        return self.file.sha256

    def check(self) -> None:
        try:
            with self.open() as file:
                size_bytes = file.seek(0, os.SEEK_END)
        except FileNotFoundError as error:
            raise FileDamagedError(self.path) from error
        if size_bytes != self.size_bytes:
            raise FileDamagedError(self.path)

    def open(self) -> BinaryIO:
        return self.store.open(self.file.sha256)

    def chunks(self, span: Span) -> Iterator[bytes]:
        with self.open() as file:
            yield from pieces(file, span)


@dataclass(frozen=True, slots=True)
class BaseContent:
    """A file of a base model, where the worker found it."""

    file: BaseFile
    directory: Path

    @property
    def path(self) -> str:
        return self.file.path

    @property
    def size_bytes(self) -> int:
        return self.file.size_bytes

    @property
    def tag(self) -> str:
        return self.file.sha256

    def check(self) -> None:
        with self.open() as file:
            stat = os.fstat(file.fileno())
        if (stat.st_size, stat.st_mtime_ns) != (self.size_bytes, self.file.changed_ns):
            raise BaseUnavailableError(f"{self.path!r} was changed since the worker loaded it")

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """For reading within the block; raises `BaseUnavailableError` there, too."""
        try:
            with (self.directory / self.path).open("rb") as file:
                yield file
        except OSError as error:
            raise BaseUnavailableError(f"{self.path!r} cannot be read here") from error

    def chunks(self, span: Span) -> Iterator[bytes]:
        with self.open() as file:
            yield from pieces(file, span)


def pieces(file: BinaryIO, span: Span) -> Iterator[bytes]:
    """The bytes of a span of a file, a piece at a time."""
    file.seek(span.start)
    left_bytes = span.size_bytes
    while left_bytes > 0:
        piece = file.read(min(CHUNK_BYTES, left_bytes))
        if not piece:
            return  # cut short: the server ends the connection, so the caller sees it
        left_bytes -= len(piece)
        yield piece
