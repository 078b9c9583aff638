"""What a job is built on: checkpoints of the store, read back and taken apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from contract.admission.bases import sayings_of
from contract.wire.checkpoints import CheckpointFile, CheckpointView, Part
from contract.wire.edits import EditRequest
from contract.wire.ids import checkpoint_id_of


class LineageError(Exception):
    """Root of what can be wrong with checkpoints to build on.

    LineageError
    ├── CheckpointGoneError
    └── OtherBaseError
    """


class CheckpointGoneError(LineageError):
    """There is no such checkpoint, or no longer."""

    def __init__(self, checkpoint_id: str) -> None:
        super().__init__(f"there is no checkpoint {checkpoint_id}")


class OtherBaseError(LineageError):
    """The checkpoint was made on another model than the resident one."""

    def __init__(self, checkpoint_id: str) -> None:
        super().__init__(f"checkpoint {checkpoint_id} was made on another base model")


class Store(Protocol):
    """Where checkpoints are kept."""

    def find(self, checkpoint_id: str) -> CheckpointView | None: ...
    def read(self, file: CheckpointFile) -> bytes: ...


class Reader(Protocol):
    """The engine, as far as it reads what it wrote."""

    @property
    def base_digest(self) -> str: ...
    def read(self, files: Mapping[str, bytes], *, first: int = ..., end: int | None = ...) -> Any:
        """An adapter, or some of its ranks."""
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """One edit, out of its checkpoint: what it wrote itself, and nothing that it was made on."""

    checkpoint: CheckpointView
    adapter: Any

    @property
    def edit_id(self) -> str:
        assert self.checkpoint.edit_id is not None
        return self.checkpoint.edit_id

    @property
    def request(self) -> EditRequest:
        assert isinstance(self.checkpoint.request, EditRequest)
        return self.checkpoint.request


@dataclass(frozen=True, slots=True)
class BaseCheckpoint:
    """The checkpoint that an edit is made on, if any: its adapter, the edits in it, and what they
    made the model say."""

    adapter: Any = None
    parts: tuple[Part, ...] = ()
    said: Mapping[str, str] = field(default_factory=dict)

    @property
    def rank(self) -> int:
        return self.parts[-1].end_rank if self.parts else 0


def base_of(request: EditRequest, store: Store, reader: Reader) -> BaseCheckpoint:
    """What an edit is made on; raises `LineageError` and `CorruptFileError`."""
    if request.base is None:
        return BaseCheckpoint()
    checkpoint = _found(request.base, store, reader)
    # What comes after the last part only fills the rank up.
    end = checkpoint.parts[-1].end_rank
    edits = [_found(checkpoint_id_of(part.edit_id), store, reader) for part in checkpoint.parts]
    adapter = reader.read(_files(checkpoint, store), end=end)
    return BaseCheckpoint(adapter, checkpoint.parts, sayings_of(edits))


def members_of(edit_ids: Sequence[str], store: Store, reader: Reader) -> list[Member]:
    """The edits to be put together; raises `LineageError` and `CorruptFileError`."""
    return [_member(edit_id, store, reader) for edit_id in edit_ids]


def parts_of(
    members: Sequence[tuple[str, int]], *, after: tuple[Part, ...] = ()
) -> tuple[Part, ...]:
    """Where the ranks of each edit lie, one behind the other, from edit ids and ranks."""
    parts = list(after)
    for edit_id, rank in members:
        first = parts[-1].end_rank if parts else 0
        parts.append(Part(edit_id=edit_id, first_rank=first, end_rank=first + rank))
    return tuple(parts)


def _member(edit_id: str, store: Store, reader: Reader) -> Member:
    checkpoint = _found(checkpoint_id_of(edit_id), store, reader)
    own = next(part for part in checkpoint.parts if part.edit_id == edit_id)
    files = _files(checkpoint, store)
    return Member(checkpoint, reader.read(files, first=own.first_rank, end=own.end_rank))


def _found(checkpoint_id: str, store: Store, reader: Reader) -> CheckpointView:
    checkpoint = store.find(checkpoint_id)
    if checkpoint is None:
        raise CheckpointGoneError(checkpoint_id)
    if checkpoint.base_digest != reader.base_digest:
        raise OtherBaseError(checkpoint_id)
    return checkpoint


def _files(checkpoint: CheckpointView, store: Store) -> dict[str, bytes]:
    return {file.path: store.read(file) for file in checkpoint.files}
