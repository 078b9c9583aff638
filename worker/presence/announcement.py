"""What the worker tells of the model it serves."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from contract.memory import ModelShape
from contract.wire.checkpoints import BaseFile, BaseView, CheckpointFile
from contract.wire.serving import ModelView, ShapeView


class BaseModelFiles(Protocol):
    """The files that a resident model was loaded from."""

    @property
    def directory(self) -> Path | None: ...
    @property
    def files(self) -> Sequence[Any]: ...


class ServedModel(Protocol):
    """What is told of a resident model."""

    @property
    def shape(self) -> ModelShape: ...
    @property
    def architecture(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def base_digest(self) -> str: ...
    @property
    def base(self) -> BaseModelFiles: ...
    @property
    def tokenizer_json(self) -> bytes | None: ...


class Models(Protocol):
    """Where the API learns which models there are."""

    def publish_model(self, model: ModelView) -> None: ...


class Store(Protocol):
    """Where the API finds a model's files."""

    def put(self, path: str, content: bytes) -> CheckpointFile: ...
    def put_base(self, base: BaseView) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Tells of a model what the API needs to count tokens, to estimate, and to serve it edited."""

    name: str
    model: ServedModel
    presence: Models
    store: Store

    def __call__(self) -> None:
        """Tell it all; what was told before is replaced. Raises `StoreError`."""
        tokenizer = self.model.tokenizer_json
        kept = self.store.put("tokenizer.json", tokenizer) if tokenizer is not None else None
        base = base_view(self.model.base_digest, self.model.base, tokenizer=kept)
        if base is not None:
            self.store.put_base(base)
        sha256 = kept.sha256 if kept else None
        self.presence.publish_model(model_view(self.name, self.model, tokenizer_sha256=sha256))


def model_view(name: str, model: ServedModel, *, tokenizer_sha256: str | None) -> ModelView:
    """The model as the API knows it."""
    return ModelView(
        name=name,
        architecture=model.architecture,
        dtype=model.dtype,
        n_param=model.shape.n_param,
        weights_bytes=model.shape.weights_bytes,
        base_digest=model.base_digest,
        shape=ShapeView(**asdict(model.shape)),
        tokenizer_sha256=tokenizer_sha256,
    )


def base_view(
    digest: str, base: BaseModelFiles, *, tokenizer: CheckpointFile | None = None
) -> BaseView | None:
    """Where the model's files lie; None for one that came from no directory."""
    if base.directory is None:
        return None
    files = tuple(BaseFile.model_validate(asdict(file)) for file in base.files)
    return BaseView(digest=digest, location=str(base.directory), files=files, tokenizer=tokenizer)
