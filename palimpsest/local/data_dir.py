"""The directory in which `palimpsest up` keeps everything."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

LARGEST_LOG_BYTES = 10_000_000


class DataDirInUseError(Exception):
    """Another `palimpsest up` works in the directory."""

    def __init__(self, root: Path, *, holder: str) -> None:
        by = f" (process {holder})" if holder else ""
        super().__init__(f"{root} is in use by another `palimpsest up`{by}")


class DataDirUnusableError(Exception):
    """Nothing can be kept there."""

    def __init__(self, root: Path, *, reason: str) -> None:
        super().__init__(f"cannot write to {root}: {reason}; choose another with --data-dir")


@dataclass(frozen=True, slots=True)
class DataDir:
    """Redis' files, logs, and what the service itself keeps."""

    root: Path

    @property
    def redis(self) -> Path:
        return self.root / "redis"

    def log(self, name: str) -> Path:
        return self.root / "logs" / f"{name}.log"

    def check(self) -> None:
        """Try to keep a file here; raises `DataDirUnusableError`."""
        with self._translated_errors():
            self.root.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self.root) as tried:
                tried.write(b"\0")

    def prepare(self) -> None:
        """Make the directories, and put logs away that have grown large; raises
        `DataDirUnusableError`."""
        with self._translated_errors():
            self.redis.mkdir(parents=True, exist_ok=True)
            (self.root / "logs").mkdir(exist_ok=True)
            for log in (self.root / "logs").glob("*.log"):
                if log.stat().st_size > LARGEST_LOG_BYTES:
                    log.replace(log.with_suffix(".log.1"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory; the kernel lets go of it however this process ends."""
        import fcntl  # there is none on Windows, where the client must still import

        with self._translated_errors():
            self.root.mkdir(parents=True, exist_ok=True)
            opened = (self.root / "lock").open("a+", encoding="utf-8")
        with opened as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                raise DataDirInUseError(self.root, holder=lock.read().strip()) from error
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DataDirUnusableError(self.root, reason=reason) from error
