"""The checkpoint store: files found by their content, and manifests that commit them."""

import hashlib
import re
import secrets
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from pydantic import ValidationError

from contract.store.errors import (
    BudgetExceededError,
    CorruptFileError,
    MissingStoreError,
    NewerManifestError,
    UnreadableManifestError,
    WithheldError,
)
from contract.store.shelf import Shelf
from contract.wire.checkpoints import (
    MANIFEST_SCHEMA,
    BaseView,
    CheckpointFile,
    CheckpointView,
)
from contract.wire.frozen import Frozen
from contract.wire.ids import is_checkpoint_id

BLOBS, MANIFESTS, BASES = "blobs", "manifests", "bases"
_IDENTITY = "store.id"
COLUMNS_FILE = "edited_columns.safetensors"
"""The file of a checkpoint that is for the service alone: no adapter, but what became of it."""
_WITHHELD = b""
"""The manifest of a checkpoint that there will never be, or never again."""
PROBE_BYTES = 65_536
"""What a try writes: about as much as an adapter, since a full disk still takes what is empty."""
_SHA256 = re.compile(r"[0-9a-f]{64}")

Told = TypeVar("Told", CheckpointView, BaseView)


class CheckpointStore:
    """A shelf that holds no torn checkpoint: the manifest comes last, whole, and only once.

    `blobs/ab/abcd…` are files named by their SHA-256, `manifests/<checkpoint id>.json` name them;
    `bases/<digest>.json` tell where base models lie, and `store.id` which store this is. No path
    that a user sends is ever joined to the shelf's. Whatever it is asked may raise
    `StoreUnavailableError`.
    """

    def __init__(self, location: Path | str, *, budget_bytes: int | None = None) -> None:
        """`location` is a directory, or a URL that fsspec knows; files take `budget_bytes` at
        most."""
        self.shelf = Shelf.at(location)
        self._budget_bytes = budget_bytes
        self._expected: str | None = None

    def identity(self) -> str:
        """What no other store has: the one that is expected, else that of what lies here."""
        if self._expected is not None:
            return self._expected
        with suppress(FileExistsError):
            self.shelf.create(_IDENTITY, uuid.uuid4().hex.encode())
        return str(self._found())

    def expect(self, identity: str) -> None:
        """From now on neither write nor miss anything where another store lies, or none."""
        self._expected = identity

    def check_present(self) -> None:
        """Raises `MissingStoreError` unless the store that is expected lies here."""
        if self._expected is not None and self._found() != self._expected:
            raise MissingStoreError(self._expected)

    def _found(self) -> str | None:
        try:
            return self.shelf.read(_IDENTITY).decode(errors="replace").strip()
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> bytes | None:
        """None for what is not there, unless it may lie in a store that is away."""
        try:
            return self.shelf.read(name)
        except FileNotFoundError:
            self.check_present()
            return None

    def check_writable(self) -> None:
        """Write something where manifests and where files lie, read it, and take it away; raises
        `StoreUnavailableError`, and `StoreFullError` where there is no room for an adapter."""
        self.check_present()
        for folder in (MANIFESTS, BLOBS):
            # Of its own, since others try it, too; what a killed process leaves is swept.
            probe = f"{folder}/.probe.{secrets.token_hex(4)}"
            try:
                self.shelf.replace(probe, secrets.token_bytes(PROBE_BYTES))  # not compressible
                self.shelf.read(probe)
            finally:
                self.shelf.remove(probe)

    def put(self, path: str, content: bytes) -> CheckpointFile:
        """Keep `content` under the name `path`: written, synced, read back; raises
        `StoreFullError`, `BudgetExceededError`, and `CorruptFileError` when the bytes do not come
        back."""
        self.check_present()
        file = CheckpointFile(path=path, sha256=_sha256(content), size_bytes=len(content))
        self._check_budget(file)
        self.shelf.keep(_blob(file.sha256), content)
        self.read(file)
        return file

    def read(self, file: CheckpointFile) -> bytes:
        """A file's content; raises `CorruptFileError` unless it is what the manifest says."""
        content = self._read(_blob(file.sha256))
        if content is None:
            raise CorruptFileError(file.path, expected=file.sha256, found=None)
        found = _sha256(content)
        if found != file.sha256:
            self.shelf.remove(_blob(file.sha256))  # never serve it; a retry writes it again
            raise CorruptFileError(file.path, expected=file.sha256, found=found)
        return content

    def open(self, sha256: str) -> BinaryIO:
        """The content of that digest, as it lies there; raises `FileNotFoundError`."""
        try:
            return self.shelf.open(_blob(sha256))
        except FileNotFoundError:
            self.check_present()
            raise

    def commit(self, checkpoint: CheckpointView) -> CheckpointView:
        """Publish a checkpoint, once: returns the one that stands, which an earlier attempt
        may have committed. Raises `WithheldError`, and `UnreadableManifestError` before anything
        is published that would not read back."""
        manifest = checkpoint.manifest
        _parsed(CheckpointView, manifest, of=checkpoint.id)
        self.check_present()
        with suppress(FileExistsError):
            self.shelf.create(_manifest(checkpoint.id), manifest)
        committed = self.find(checkpoint.id)
        if committed is None:
            raise WithheldError(checkpoint.id)
        return committed

    def withhold(self, checkpoint_id: str) -> CheckpointView | None:
        """See to it that the checkpoint is never published; returns the one that stands already.

        An empty manifest takes the place, so that of a cancel and a commit one comes first.
        """
        self.check_present()
        with suppress(FileExistsError):
            self.shelf.create(_manifest(checkpoint_id), _WITHHELD)
        return self.find(checkpoint_id)

    def find(self, checkpoint_id: str) -> CheckpointView | None:
        """A committed checkpoint; None for an unknown, malformed or withheld id; raises
        `UnreadableManifestError`."""
        if not is_checkpoint_id(checkpoint_id):
            return None
        content = self._read(_manifest(checkpoint_id))
        if not content:
            return None
        checkpoint = _parsed(CheckpointView, content, of=checkpoint_id)
        if checkpoint.id != checkpoint_id:
            raise UnreadableManifestError(checkpoint_id)
        return checkpoint

    def remove(self, checkpoint_id: str) -> None:
        """Take a checkpoint away for good; its files go when the store is swept."""
        self.check_present()
        self.shelf.replace(_manifest(checkpoint_id), _WITHHELD)

    def ids(self) -> list[str]:
        """The committed checkpoints, the newest first."""
        self.check_present()
        found = {entry.name for entry in self.shelf.entries(MANIFESTS) if entry.size_bytes}
        ids = {name for name in (Path(path).stem for path in found) if _manifest(name) in found}
        return sorted(filter(is_checkpoint_id, ids), reverse=True)

    def checkpoints(self) -> Iterator[CheckpointView]:
        """All that is committed, the newest first; raises `UnreadableManifestError`."""
        found = map(self.find, self.ids())
        return (checkpoint for checkpoint in found if checkpoint is not None)

    def readable(self, ids: Iterable[str], *, newer_too: bool = False) -> Iterator[CheckpointView]:
        """Those of some checkpoints that are committed and whose manifests can be read; raises
        `NewerManifestError` where those of a later schema have to be among them."""
        for checkpoint_id in ids:
            try:
                checkpoint = self.find(checkpoint_id)
            except UnreadableManifestError as error:
                if newer_too and isinstance(error, NewerManifestError):
                    raise
                continue  # who asks for this one by its id is told
            if checkpoint is not None:
                yield checkpoint

    def named(self) -> frozenset[str]:
        """The digests of all files that a manifest names; raises `UnreadableManifestError`."""
        bases = [Path(entry.name).stem for entry in self.shelf.entries(BASES)]
        tokenizers = (base.tokenizer for base in map(self.find_base, bases) if base)
        files = (file for checkpoint in self.checkpoints() for file in checkpoint.files)
        return frozenset(file.sha256 for file in (*files, *filter(None, tokenizers)))

    def _check_budget(self, file: CheckpointFile) -> None:
        """What is there already takes nothing more."""
        if self._budget_bytes is None:
            return
        taken = {entry.name: entry.size_bytes for entry in self.shelf.entries(BLOBS)}
        if _blob(file.sha256) in taken:
            return
        if sum(taken.values()) + file.size_bytes > self._budget_bytes:
            raise BudgetExceededError(self._budget_bytes)

    def put_base(self, base: BaseView) -> None:
        """Tell where a base model's files lie now."""
        self.check_present()
        self.shelf.replace(_base(base.digest), base.model_dump_json(indent=1).encode())

    def find_base(self, digest: str) -> BaseView | None:
        """The base model of that digest, if a worker has told of it; raises
        `UnreadableManifestError`."""
        if not _SHA256.fullmatch(digest):
            return None
        content = self._read(_base(digest))
        return None if content is None else _parsed(BaseView, content, of=f"base {digest}")


class _Schema(Frozen):
    """Of which version a manifest is; what is told of a base has none."""

    schema_version: int = MANIFEST_SCHEMA


def _parsed(kind: type[Told], content: bytes, *, of: str) -> Told:
    """What a later version tells besides is passed over, unless it says that it is of another
    schema."""
    try:
        found = _Schema.model_validate_json(content, extra="ignore").schema_version
        if found > MANIFEST_SCHEMA:
            raise NewerManifestError(of, found=found, known=MANIFEST_SCHEMA)
        return kind.model_validate_json(content, extra="ignore")
    except ValidationError as error:
        raise UnreadableManifestError(of) from error


def _blob(sha256: str) -> str:
    assert _SHA256.fullmatch(sha256)
    return f"{BLOBS}/{sha256[:2]}/{sha256}"


def _manifest(checkpoint_id: str) -> str:
    return f"{MANIFESTS}/{checkpoint_id}.json"


def _base(digest: str) -> str:
    return f"{BASES}/{digest}.json"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
