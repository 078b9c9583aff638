"""The API is told which model is served, and where its files lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fake_editor import FakeEditor
from redis import Redis

from contract.ledger.ledger import Ledger
from contract.ledger.presence import Presence
from contract.store.store import CheckpointStore
from worker.presence.announcement import Announcement, model_view


@dataclass(frozen=True)
class Folder:
    """A base model that was loaded from a directory."""

    directory: Path
    files: tuple[Any, ...] = ()


def announce(redis: Redis, store: CheckpointStore, model: FakeEditor) -> None:
    Announcement(name="demo", model=model, presence=Presence(redis), store=store)()


def test_a_model_is_reported_with_its_sizes() -> None:
    view = model_view("demo", FakeEditor(), tokenizer_sha256="ab")

    # 2 blocks of 4 · 8² + 3 · 8 · 16 + 2 · 8, embeddings 2 · 32 · 8, a last norm of 8
    assert (view.n_param, view.weights_bytes) == (1832, 7328)
    assert (view.name, view.shape.d_ff, view.tokenizer_sha256) == ("demo", 16, "ab")


def test_a_models_tokenizer_is_stored_and_its_digest_announced(
    redis: Redis, ledger: Ledger, store: CheckpointStore
) -> None:
    announce(redis, store, FakeEditor())

    (model,) = ledger.presence.models()
    kept = store.put("tokenizer.json", b'{"version": "1.0"}')
    assert (model.name, model.tokenizer_sha256) == ("demo", kept.sha256)
    assert store.find_base("b" * 64) is None  # it came from no directory


def test_a_model_without_a_tokenizer_file_is_announced_without_one(
    redis: Redis, ledger: Ledger, store: CheckpointStore
) -> None:
    class Bare(FakeEditor):
        tokenizer_json = None

    announce(redis, store, Bare())

    (model,) = ledger.presence.models()
    assert model.tokenizer_sha256 is None


def test_the_store_is_told_where_the_models_files_lie(
    redis: Redis, store: CheckpointStore, tmp_path: Path
) -> None:
    class Loaded(FakeEditor):
        base = Folder(tmp_path)

    announce(redis, store, Loaded())

    base = store.find_base("b" * 64)
    assert base is not None
    assert base.location == str(tmp_path)
    assert base.tokenizer is not None and base.tokenizer.path == "tokenizer.json"
