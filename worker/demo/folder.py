"""A directory that is filled whole or not at all, and again only from something else."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from worker.demo.errors import ForeignDirectoryError, UnwritableDirectoryError

MARKER = "demo.digest"
"""The file, written last, that holds the digest of what the directory was made from."""


def holds(directory: Path, digest: str) -> bool:
    """Whether the directory was finished from just what the digest stands for."""
    return read_marker(directory) == digest


def read_marker(directory: Path) -> str | None:
    """The digest of a finished directory."""
    try:
        return (directory / MARKER).read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None


def check_replaceable(directory: Path) -> None:
    """Refuse a directory that holds something other than an earlier demo model."""
    if not directory.exists() or read_marker(directory) is not None:
        return
    if not directory.is_dir() or any(directory.iterdir()):
        raise ForeignDirectoryError(directory)


def check_writable(directory: Path) -> None:
    """Try to make a folder next door; raises `UnwritableDirectoryError`."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{directory.name}-", dir=directory.parent):
            pass
    except OSError as error:
        raise UnwritableDirectoryError(directory, reason=error.strerror or str(error)) from error


def publish(directory: Path, digest: str, *, write: Callable[[Path], None]) -> None:
    """Write next door, then rename; whoever comes second to an equal result leaves the first."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{directory.name}-", dir=directory.parent) as beside:
        fresh = Path(beside) / "fresh"
        fresh.mkdir()
        write(fresh)
        (fresh / MARKER).write_text(digest)
        if read_marker(directory) is not None and not holds(directory, digest):
            directory.replace(Path(beside) / "stale")
        try:
            fresh.replace(directory)
        except OSError:
            if not holds(directory, digest):
                raise
