"""Publishing a checkpoint: its files first, then the manifest that commits them."""

from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Protocol

from contract.store.errors import StoreUnavailableError
from contract.wire.checkpoints import CheckpointFile, CheckpointView

DISTRIBUTION = "palimpsest-kn"

Verify = Callable[[Mapping[str, bytes]], None]
"""Raises unless the files, as they were read back, are what was meant to be stored."""


class Store(Protocol):
    """Where checkpoints are kept."""

    def check_present(self) -> None: ...
    def put(self, path: str, content: bytes) -> CheckpointFile: ...
    def read(self, file: CheckpointFile) -> bytes: ...
    def commit(self, checkpoint: CheckpointView) -> CheckpointView: ...
    def withhold(self, checkpoint_id: str) -> CheckpointView | None: ...
    def find(self, checkpoint_id: str) -> CheckpointView | None: ...


def keep(store: Store, files: Mapping[str, bytes], *, verify: Verify) -> tuple[CheckpointFile, ...]:
    """Store `files`, read them back, and let `verify` see what came of them."""
    kept = tuple(store.put(path, content) for path, content in sorted(files.items()))
    verify({file.path: store.read(file) for file in kept})
    return kept


def commit(store: Store, checkpoint: CheckpointView) -> CheckpointView:
    """Publish a checkpoint whose files are kept; returns the one that stands."""
    try:
        return store.commit(checkpoint)
    except StoreUnavailableError:
        # What failed may have come after the manifest was linked, and then it is the commit.
        standing = store.find(checkpoint.id)
        if standing is None:
            raise
        return standing


def code_version() -> str:
    """The version of this distribution, for the manifest."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0+unknown"
