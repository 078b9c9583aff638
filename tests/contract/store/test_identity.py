"""Which store a ledger goes with: one that is away is not an empty one."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from contract.ledger import names
from contract.store.errors import MissingStoreError
from contract.store.identity import pin
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import BaseView, CheckpointFile, CheckpointView


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def pinned(redis: Redis, root: Path) -> Callable[[], CheckpointStore]:
    """The store as one process more has it."""

    def pinned() -> CheckpointStore:
        store = CheckpointStore(root)
        pin(store, redis)
        return store

    return pinned


Pinned = Callable[[], CheckpointStore]


def test_a_ledger_goes_with_the_first_store_that_it_meets(
    pinned: Pinned, redis: Redis, root: Path
) -> None:
    pinned().check_present()
    pinned().check_present()

    identity = redis.get(names.STORE)
    assert identity is not None and len(identity) == 32
    assert (root / "store.id").read_bytes() == identity


def test_many_that_start_at_once_agree(pinned: Pinned, redis: Redis) -> None:
    with ThreadPoolExecutor(8) as pool:
        starting = [pool.submit(pinned) for _ in range(8)]
        stores = [started.result() for started in starting]

    for store in stores:
        store.check_present()
    assert len({store.identity() for store in stores}) == 1


def test_a_store_that_an_older_version_made_is_taken_as_it_is(
    pinned: Pinned, root: Path, checkpoint: CheckpointView
) -> None:
    CheckpointStore(root).commit(checkpoint)

    assert pinned().ids() == [checkpoint.id]


@pytest.fixture(params=["gone", "bare", "another"])
def away(request: pytest.FixtureRequest, pinned: Pinned, root: Path) -> CheckpointStore:
    """A store that was moved away: nothing is in its place, an empty folder, or another store."""
    store = pinned()
    store.put("name", b"abc")
    root.rename(root.with_name("moved"))
    if request.param != "gone":
        root.mkdir()
    if request.param == "another":
        CheckpointStore(root).identity()
    return store


ABC_SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
ABC = CheckpointFile(path="name", sha256=ABC_SHA256, size_bytes=3)


@pytest.mark.parametrize(
    "ask",
    [
        lambda store, made: store.check_writable(),
        lambda store, made: store.put("name", b"abc"),
        lambda store, made: store.commit(made),
        lambda store, made: store.withhold(made.id),
        lambda store, made: store.remove(made.id),
        lambda store, made: store.put_base(BaseView(digest="a" * 64, location="/", files=())),
        lambda store, made: store.find(made.id),
        lambda store, made: store.find_base("a" * 64),
        lambda store, made: store.open(ABC_SHA256),
        lambda store, made: store.read(ABC),
        lambda store, made: store.ids(),
        lambda store, made: store.named(),
    ],
)
def test_a_store_that_is_away_is_neither_written_nor_taken_for_an_empty_one(
    away: CheckpointStore,
    ask: Callable[[CheckpointStore, CheckpointView], object],
    checkpoint: CheckpointView,
    root: Path,
) -> None:
    with pytest.raises(MissingStoreError):
        ask(away, checkpoint)

    assert [path.name for path in root.rglob("*")] in ([], ["store.id"])


def test_neither_is_it_by_a_process_that_starts_meanwhile(
    away: CheckpointStore, pinned: Pinned, root: Path
) -> None:
    with pytest.raises(MissingStoreError):
        pinned().check_writable()


def test_a_store_that_comes_back_is_the_same_as_before(away: CheckpointStore, root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    root.with_name("moved").rename(root)

    away.check_writable()
    with away.open(ABC_SHA256) as file:
        assert file.read() == b"abc"


def test_who_means_another_store_writes_the_identity_that_is_told_into_it(
    away: CheckpointStore, pinned: Pinned, root: Path
) -> None:
    with pytest.raises(MissingStoreError) as told:
        away.check_present()

    root.mkdir(exist_ok=True)
    (root / "store.id").write_text(f"{told.value.identity}\n")

    away.check_writable()
    pinned().check_writable()


def test_a_redis_that_lost_all_is_told_again_also_while_the_store_is_away(
    away: CheckpointStore, redis: Redis
) -> None:
    before = redis.get(names.STORE)
    redis.flushdb()

    pin(away, redis)

    assert redis.get(names.STORE) == before
