"""Repositories: checkpoints and base models under the names that Hugging Face's tools ask for."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from app.checkpoint_errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
from app.files.contents import Content, StoredContent
from app.files.full_model import base_model, full_model
from app.jobs.intake import only_one
from app.service import Service
from contract.store.store import COLUMNS_FILE, CheckpointStore
from contract.wire.checkpoints import CheckpointView
from contract.wire.ids import checkpoint_id_of
from contract.wire.serving import ModelView

BRANCH = "main"
FULL_NAME = f"refs/heads/{BRANCH}"
_AT = re.compile(r"(refs/[^/]+/[^/]+|[^/]+)(?:/(.*))?", re.DOTALL)
_EDITED = re.compile(r"palimpsest/((?:ckpt|edit)-[0-9a-f]{28})(-lora)?")
_BASE = "palimpsest/base"


class Place(NamedTuple):
    """A revision, and a path in it."""

    revision: str
    path: str

    @classmethod
    def parse(cls, text: str) -> "Place":
        """`main/file` or `refs/heads/main/file`: clients escape the slashes of a revision, but a
        path arrives without escapes."""
        found = _AT.fullmatch(text)
        return cls(found[1], found[2] or "") if found else cls(text, "")


@dataclass(frozen=True, slots=True)
class Repository:
    """Files under a name, of which there is one version."""

    id: str
    contents: tuple[Content, ...]
    created_at: datetime | None = None

    @property
    def commit(self) -> str:
        """40 hex digits that change whenever a file does."""
        listed = json.dumps([(content.path, content.tag) for content in self.contents])
        return hashlib.sha256(listed.encode()).hexdigest()[:40]

    def at(self, revision: str) -> "Repository":
        """The version of a branch or commit; raises `RevisionNotFoundError`."""
        if revision not in (BRANCH, FULL_NAME, self.commit):
            raise RevisionNotFoundError(self.id, revision)
        return self

    def content(self, path: str) -> Content:
        """The file of that name; raises `EntryNotFoundError`."""
        for content in self.contents:
            if content.path == path:
                return content
        raise EntryNotFoundError(self.id, path, commit=self.commit)


def find_repository(service: Service, repo_id: str) -> Repository:
    """`palimpsest/<checkpoint>` is an edited model, `palimpsest/<checkpoint>-lora` its adapter,
    both by the edit's id too; `palimpsest/base` is the one base, a model's name the model's base.

    Raises `RepositoryNotFoundError`, and what `full_model` raises.
    """
    edited = _EDITED.fullmatch(repo_id)
    if edited is not None:
        checkpoint = service.store.find(checkpoint_id_of(edited[1]))
        if checkpoint is None:
            raise RepositoryNotFoundError(repo_id)
        files_of = _adapter if edited[2] else full_model
        return Repository(repo_id, files_of(checkpoint, service.store), checkpoint.created_at)
    model = _model(repo_id, service.ledger.presence.models())
    base = service.store.find_base(model.base_digest) if model else None
    if base is None:
        raise RepositoryNotFoundError(repo_id)
    return Repository(repo_id, base_model(base))


def _adapter(checkpoint: CheckpointView, store: CheckpointStore) -> tuple[Content, ...]:
    files = (file for file in checkpoint.files if file.path != COLUMNS_FILE)
    return tuple(StoredContent(file, store) for file in files)


def _model(repo_id: str, models: Sequence[ModelView]) -> ModelView | None:
    if repo_id == _BASE:
        return only_one(models)
    return next((model for model in models if model.name == repo_id), None)
