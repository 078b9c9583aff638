"""What the worker tells of itself and of the model it serves."""

import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from contract.memory import ModelShape
from contract.wire.checkpoints import BaseFile, BaseView, CheckpointFile
from contract.wire.serving import ModelView, ShapeView, WorkerView
from worker.memory.monitor import Outlook
from worker.presence.activity import Activity


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


class BaseModelFiles(Protocol):
    """The files that a resident model was loaded from."""

    @property
    def directory(self) -> Path | None: ...
    @property
    def files(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this worker is, for as long as its process lives."""

    worker_id: str
    model: str
    host: str
    pid: int
    device: str
    started_at: datetime

    @classmethod
    def of_this_process(cls, *, model: str, device: str, now_s: float) -> "Identity":
        """A fresh identity: a fixed name would keep a restarted worker out until it expires."""
        host, pid = socket.gethostname(), os.getpid()
        return cls(
            worker_id=f"{host}-{pid}-{secrets.token_hex(4)}",
            model=model,
            host=host,
            pid=pid,
            device=device,
            started_at=datetime.fromtimestamp(now_s, UTC),
        )


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


def worker_view(
    identity: Identity,
    activity: Activity,
    outlook: Outlook,
    *,
    now_s: float,
) -> WorkerView:
    """The worker as it is now."""
    held = activity.current
    reading = outlook.reading
    return WorkerView(
        id=identity.worker_id,
        model=identity.model,
        host=identity.host,
        pid=identity.pid,
        device=identity.device,
        state=activity.state,
        edit_id=held.attempt.edit_id if held else None,
        free_bytes=reading.free_bytes,
        total_bytes=reading.total_bytes,
        budget_bytes=outlook.budget_bytes,
        capacity_bytes=outlook.capacity_bytes,
        others_bytes=reading.others_bytes,
        memory_state=outlook.state,
        memory_state_since=outlook.since,
        probes=outlook.probing.probes,
        probe_error=outlook.probing.error,
        calibration=outlook.probing.calibration,
        mean_edit_s=activity.mean_edit_s,
        edits_done=activity.edits_done,
        started_at=identity.started_at,
        heartbeat_at=datetime.fromtimestamp(now_s, UTC),
    )
