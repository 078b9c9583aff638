"""Checkpoints as they go over the wire, and as their manifests are kept."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from contract.wire.composition import ComposeRequest, Composition
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission, Bytes
from contract.wire.frozen import Frozen
from contract.wire.idempotency import Idempotency
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus, Phase, QueuedReason
from contract.wire.views import EditFailure, EditResult, Progress, QueueView


class CheckpointFile(Frozen):
    """One file of a checkpoint, found by its content."""

    path: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: Bytes


class BaseFile(CheckpointFile):
    """One file of a base model, as it was when a worker loaded it."""

    changed_ns: int = Field(description="Time of its last change, in Unix nanoseconds.")


class BaseView(Frozen):
    """A base model as files that lie where they are: nothing of them is copied."""

    digest: str
    location: str = Field(description="The directory; never sent to clients.")
    files: tuple[BaseFile, ...]
    tokenizer: CheckpointFile | None = Field(
        default=None,
        description="The `tokenizer.json` in the store, with which the API counts tokens.",
    )


class Part(Frozen):
    """One edit within a checkpoint: the rows of every A and the columns of every B that are its."""

    edit_id: str
    first_rank: int
    end_rank: int = Field(description="One past the edit's last rank.")


class Provenance(Frozen):
    """What a checkpoint's bytes depend on besides request, base and plan."""

    device: str
    dtype: str
    threads: int = Field(description="CPU threads of the worker.")
    software: dict[str, str] = Field(description="Versions of libraries, by name.")
    seed: int = Field(description="Seed for sampling the reference texts.")
    references_sha256: str = Field(description="SHA-256 over the reference texts, as token ids.")


MANIFEST_SCHEMA = 1
"""A later one means something else by a field that this version knows, too."""


class CheckpointView(Frozen):
    """A published checkpoint: the manifest that commits it."""

    schema_version: int = MANIFEST_SCHEMA
    id: str
    status: Literal[EditStatus.SUCCEEDED] = EditStatus.SUCCEEDED
    edit_id: str | None = Field(
        default=None, description="The edit that made it; null for a composition."
    )
    model: str
    base_digest: str = Field(description="SHA-256 over the base model's files.")
    kind: str = "peft-adapter"
    files: tuple[CheckpointFile, ...]
    base: str | None = Field(default=None, description="The checkpoint that the edit was made on.")
    parts: tuple[Part, ...] = Field(min_length=1, description="Every edit in the checkpoint.")
    request: EditRequest | ComposeRequest
    attempt: int
    result: EditResult | Composition
    admission: Admission | None = None
    code_version: str
    provenance: Provenance | None = None
    idempotency: Idempotency | None = Field(
        default=None, exclude=True, description="Kept in the manifest, and told to nobody outside."
    )
    created_at: datetime

    @model_validator(mode="after")
    def _holds_its_own_edit(self) -> Self:
        """An edit's checkpoint is one of its parts; a composition's is of no edit: a name that was
        damaged must not pass for a field that is left out."""
        is_edit, parts = isinstance(self.request, EditRequest), {p.edit_id for p in self.parts}
        if self.edit_id not in parts if is_edit else self.edit_id is not None:
            raise ValueError(f"{self.edit_id} is none of its parts")
        return self

    @property
    def manifest(self) -> bytes:
        """What is kept of it: all that is told of it, and what is told to nobody outside."""
        kept = self if self.idempotency is None else _Manifest.model_construct(**dict(self))
        return kept.model_dump_json(indent=1).encode()

    @property
    def built_on(self) -> frozenset[str]:
        """The checkpoints that this one was made from."""
        made_from = {checkpoint_id_of(part.edit_id) for part in self.parts} | {self.base}
        return frozenset(i for i in made_from if i is not None) - {self.id}


class _Manifest(CheckpointView):
    """A checkpoint that is written whole."""

    idempotency: Idempotency | None = None


class CompositionView(ComposeRequest):
    """A composition that has no checkpoint yet, or will have none."""

    id: str
    status: EditStatus
    attempt: int = Field(default=0, description="How many times a worker has started it.")
    queued_reason: QueuedReason | None = None
    queue: QueueView | None = Field(
        default=None, description="Place in the queue; null once final."
    )
    phase: Phase | None = None
    progress: Progress | None = None
    admission: Admission | None = None
    error: EditFailure | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class CheckpointPage(Frozen):
    """Checkpoints, newest first."""

    items: tuple[CheckpointView, ...]
    next_cursor: str | None


class ModelFile(Frozen):
    """One file of an edited model."""

    path: str
    size_bytes: Bytes
    etag: str = Field(description="Changes whenever the bytes do.")


class ModelFileList(Frozen):
    """The files of an edited model."""

    items: tuple[ModelFile, ...]
