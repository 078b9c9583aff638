"""The edited model as the files of its base, with the edited columns laid over them."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.checkpoint_errors import BaseUnavailableError, FullModelUnavailableError
from app.files.contents import BaseContent, Content, StoredContent
from app.files.overlay import EditedTensor, overlaid
from app.files.ranges import Span
from app.files.safetensors import MalformedHeaderError, Tensor, read_header
from contract.store.store import COLUMNS_FILE, CheckpointStore
from contract.wire.checkpoints import BaseView, CheckpointView

OVERLAY_VERSION = 1
"""Raised when the bytes that come of the same base and columns change."""
_ELEMENT_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True, slots=True)
class OverlaidContent:
    """A file of the base with edited columns in it."""

    base: BaseContent
    columns: StoredContent
    tensors: tuple[EditedTensor, ...]

    @property
    def path(self) -> str:
        return self.base.path

    @property
    def size_bytes(self) -> int:
        return self.base.size_bytes

    @property
    def tag(self) -> str:
        made_of = f"{OVERLAY_VERSION} {self.base.tag} {self.columns.tag}"
        return hashlib.sha256(made_of.encode()).hexdigest()

    def check(self) -> None:
        self.base.check()
        self.columns.check()

    def chunks(self, span: Span) -> Iterator[bytes]:
        with self.base.open() as file:
            yield from overlaid(file, self.tensors, span)


def base_model(base: BaseView) -> tuple[BaseContent, ...]:
    """The files of a base as they are."""
    return tuple(BaseContent(file, Path(base.location)) for file in base.files)


def full_model(checkpoint: CheckpointView, store: CheckpointStore) -> tuple[Content, ...]:
    """The files of a checkpoint's edited model; raises `BaseUnavailableError` and
    `FullModelUnavailableError`."""
    base = store.find_base(checkpoint.base_digest)
    if base is None:
        raise BaseUnavailableError("no worker has told where the base model lies")
    columns = _columns_of(checkpoint, store)
    edited = _header_of(columns)
    contents: list[Content] = []
    left = {name for name in edited if not name.endswith(".units")}
    for plain in base_model(base):
        tensors = _edited_tensors(plain, columns, edited)
        left -= tensors.keys()
        edits = tuple(tensors.values())
        contents.append(OverlaidContent(plain, columns, edits) if edits else plain)
    if left:
        raise FullModelUnavailableError(f"the base has no weight {min(left)!r} in safetensors form")
    return tuple(contents)


def _columns_of(checkpoint: CheckpointView, store: CheckpointStore) -> StoredContent:
    for file in checkpoint.files:
        if file.path == COLUMNS_FILE:
            return StoredContent(file, store)
    raise FullModelUnavailableError("the checkpoint holds no edited columns")


def _edited_tensors(
    plain: BaseContent, columns: StoredContent, edited: Mapping[str, Tensor]
) -> dict[str, EditedTensor]:
    """The tensors of one file of the base that have edited columns, by name."""
    if not plain.path.endswith(".safetensors"):
        return {}
    return {
        name: _edited_tensor(name, weight, columns, edited)
        for name, weight in _header_of(plain).items()
        if name in edited
    }


def _edited_tensor(
    name: str, weight: Tensor, columns: StoredContent, edited: Mapping[str, Tensor]
) -> EditedTensor:
    changed, units = edited[name], edited[f"{name}.units"]
    if weight.dtype != changed.dtype:
        raise FullModelUnavailableError(
            f"the base is stored in {weight.dtype} and was edited in {changed.dtype}"
        )
    _, width = weight.shape
    return EditedTensor(
        span=weight.span,
        width=width,
        element_bytes=_ELEMENT_BYTES[weight.dtype],
        units=tuple(memoryview(_read(columns, units.span)).cast("i")),
        read_columns=partial(_read, columns, changed.span),
    )


def _header_of(content: StoredContent | BaseContent) -> dict[str, Tensor]:
    content.check()
    try:
        with content.open() as file:
            return read_header(file)
    except MalformedHeaderError as error:
        raise FullModelUnavailableError(f"{content.path!r} is not safetensors: {error}") from error


def _read(content: Content, span: Span) -> bytes:
    return b"".join(content.chunks(span))
