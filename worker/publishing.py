"""Publishing a checkpoint: its files first, then the manifest that commits them."""

from collections.abc import Mapping
from importlib import metadata
from typing import Protocol

from contract.views import CheckpointFile, CheckpointView

DISTRIBUTION = "palimpsest-kn"


class Store(Protocol):
    """Where checkpoints are kept."""

    def put(self, path: str, content: bytes) -> CheckpointFile: ...
    def commit(self, checkpoint: CheckpointView) -> CheckpointView: ...
    def find(self, checkpoint_id: str) -> CheckpointView | None: ...


def publish(store: Store, draft: CheckpointView, files: Mapping[str, bytes]) -> CheckpointView:
    """Keep `files` and commit `draft` with them; returns the checkpoint that stands."""
    kept = tuple(store.put(path, content) for path, content in sorted(files.items()))
    checkpoint = draft.model_copy(update={"files": kept})
    try:
        return store.commit(checkpoint)
    except OSError:
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
