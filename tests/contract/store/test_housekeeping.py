"""The store in bounds: by age, by number, and free of what nobody names."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.store.errors import BudgetExceededError, UnreadableManifestError
from contract.store.housekeeping import Housekeeping, HousekeepingResult, Policy
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import BaseView, CheckpointView, Part

NOW_S = datetime(2030, 1, 10, tzinfo=UTC).timestamp()
DAY_S = 86_400.0
KEEP_ALL = Policy()


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path)


def made(checkpoint: CheckpointView, day: int, *, on: tuple[int, ...] = ()) -> CheckpointView:
    """The checkpoint of a day in January 2030, built on those of other days."""
    parts = tuple(
        Part(edit_id=f"edit-{other:028x}", first_rank=n, end_rank=n + 1)
        for n, other in enumerate((*on, day))
    )
    changed = {
        "id": f"ckpt-{day:028x}",
        "edit_id": f"edit-{day:028x}",
        "created_at": datetime(2030, 1, day, tzinfo=UTC),
        "parts": parts,
    }
    return checkpoint.model_copy(update=changed)


def days(ids: list[str]) -> list[int]:
    return [int(checkpoint_id.removeprefix("ckpt-"), 16) for checkpoint_id in ids]


@pytest.mark.parametrize(
    ("policy", "gone"),
    [
        (Policy(), []),
        (Policy(max_age_s=3.5 * DAY_S), [6, 5]),
        (Policy(max_count=1), [8, 7, 6, 5]),
        (Policy(max_count=3, max_age_s=2.5 * DAY_S), [7, 6, 5]),
        (Policy(max_count=9, max_age_s=99 * DAY_S), []),
    ],
)
def test_what_is_too_old_or_too_many_expires(
    checkpoint: CheckpointView, policy: Policy, gone: list[int]
) -> None:
    newest_first = [made(checkpoint, day) for day in (9, 8, 7, 6, 5)]

    assert days(policy.expired(newest_first, now_s=NOW_S)) == gone


def test_what_others_are_built_on_stays_as_long_as_they_do(checkpoint: CheckpointView) -> None:
    newest_first = [made(checkpoint, 9, on=(5,)), made(checkpoint, 8), made(checkpoint, 5)]

    assert days(Policy(max_count=1).expired(newest_first, now_s=NOW_S)) == [8]
    assert days(Policy(max_age_s=0.5 * DAY_S).expired(newest_first, now_s=NOW_S)) == [9, 8, 5]


def test_a_chain_stays_whole(checkpoint: CheckpointView) -> None:
    chain = [made(checkpoint, 9, on=(8,)), made(checkpoint, 8, on=(7,)), made(checkpoint, 7)]

    assert Policy(max_count=1).expired(chain, now_s=NOW_S) == []


@dataclass
class Marks:
    """What is marked as being removed; something else happens just before."""

    before: Callable[[], None] = lambda: None
    marked: set[str] = field(default_factory=set)
    confirmed: set[str] = field(default_factory=set)

    @contextmanager
    def removing(self, checkpoint_ids: Collection[str]) -> Iterator["Marks"]:
        self.before()
        self.marked |= set(checkpoint_ids)
        yield self

    def confirm(self, checkpoint_id: str) -> None:
        self.confirmed.add(checkpoint_id)


def housekeeping(
    store: CheckpointStore, policy: Policy = KEEP_ALL, *, building: tuple[str, ...] = ()
) -> Housekeeping:
    return Housekeeping(
        store=store,
        policy=policy,
        removing=Marks().removing,
        building=lambda: {"ckpt-to-come": frozenset(building)},
        grace_s=3600,
        clock=lambda: NOW_S,
    )


def age(tmp_path: Path, *, s: float) -> None:
    """Make everything that lies in the store so old."""
    for path in tmp_path.rglob("*"):
        if path.is_file():
            os.utime(path, (NOW_S - s, NOW_S - s))


def test_files_of_a_checkpoint_stay_and_others_go(
    store: CheckpointStore, checkpoint: CheckpointView, tmp_path: Path
) -> None:
    named, unnamed = store.put("a", b"named"), store.put("b", b"nobody names this")
    store.commit(checkpoint.model_copy(update={"files": (named,)}))
    age(tmp_path, s=3601)

    kept = housekeeping(store)()

    assert kept == HousekeepingResult(n_swept=1, swept_bytes=17)
    assert store.read(named) == b"named"
    with pytest.raises(FileNotFoundError):
        store.open(unnamed.sha256)


def test_nothing_goes_while_a_manifest_cannot_be_read(
    store: CheckpointStore, checkpoint: CheckpointView, tmp_path: Path
) -> None:
    file = store.put("a", b"abc")
    store.commit(checkpoint.model_copy(update={"files": (file,)}))
    store.shelf.replace(f"manifests/{checkpoint.id}.json", b"torn")
    age(tmp_path, s=3601)

    with pytest.raises(UnreadableManifestError):
        housekeeping(store, Policy(max_count=0))()

    assert store.read(file) == b"abc"


def test_a_file_of_a_checkpoint_that_is_not_committed_yet_stays(
    store: CheckpointStore, tmp_path: Path
) -> None:
    store.put("a", b"abc")
    age(tmp_path, s=3601)
    file = store.put("a", b"abc")
    os.utime(tmp_path / "blobs/ba" / file.sha256, (NOW_S, NOW_S))

    assert housekeeping(store)() == HousekeepingResult()
    assert store.read(file) == b"abc"


def test_a_tokenizer_that_a_base_names_stays(store: CheckpointStore, tmp_path: Path) -> None:
    tokenizer = store.put("tokenizer.json", b"{}")
    base = BaseView(digest="a" * 64, location="/models/one", files=(), tokenizer=tokenizer)
    store.put_base(base)
    age(tmp_path, s=3601)

    assert housekeeping(store)() == HousekeepingResult()


def test_what_an_interrupted_write_left_goes(store: CheckpointStore, tmp_path: Path) -> None:
    store.put("a", b"abc")
    for folder in ("blobs/ba", "manifests"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / ".torn.0badf00d").write_bytes(b"half")
    age(tmp_path, s=3601)

    housekeeping(store)()

    assert [path.name for path in tmp_path.rglob(".torn*")] == []


def test_an_expired_checkpoint_goes_and_its_files_with_it(
    store: CheckpointStore, checkpoint: CheckpointView, tmp_path: Path
) -> None:
    for day in (8, 9):
        file = store.put("a", f"of day {day}".encode())
        store.commit(made(checkpoint, day).model_copy(update={"files": (file,)}))
    age(tmp_path, s=3601)

    kept = housekeeping(store, Policy(max_count=1))()

    assert (days(list(kept.removed)), kept.n_swept) == ([8], 1)
    assert days(store.ids()) == [9]
    assert [store.read(file) for c in store.checkpoints() for file in c.files] == [b"of day 9"]


def test_a_checkpoint_that_a_job_is_to_be_built_on_does_not_expire(
    store: CheckpointStore, checkpoint: CheckpointView
) -> None:
    for day in (7, 8, 9):
        store.commit(made(checkpoint, day))

    kept = housekeeping(store, Policy(max_count=1), building=(f"ckpt-{7:028x}",))()

    assert days(list(kept.removed)) == [8]
    assert days(store.ids()) == [9, 7]


def test_what_expires_is_marked_before_it_goes(
    store: CheckpointStore, checkpoint: CheckpointView
) -> None:
    for day in (7, 8, 9):
        store.commit(made(checkpoint, day))
    marks = Marks()

    replace(housekeeping(store, Policy(max_count=2)), removing=marks.removing)()

    assert (days(list(marks.marked)), days(list(marks.confirmed))) == ([7], [7])


def test_what_a_job_is_accepted_on_before_the_mark_does_not_expire(
    store: CheckpointStore, checkpoint: CheckpointView
) -> None:
    for day in (7, 8, 9):
        store.commit(made(checkpoint, day))
    jobs: dict[str, frozenset[str]] = {}
    marks = Marks(before=lambda: jobs.update(job=frozenset({f"ckpt-{7:028x}"})))
    keeping = housekeeping(store, Policy(max_count=1))

    kept = replace(keeping, building=lambda: jobs, removing=marks.removing)()

    assert days(list(kept.removed)) == [8]
    assert (days(sorted(marks.marked)), days(list(marks.confirmed))) == ([7, 8], [8])


def test_what_is_published_before_the_mark_keeps_what_it_is_built_on(
    store: CheckpointStore, checkpoint: CheckpointView
) -> None:
    store.commit(made(checkpoint, 8))
    marks = Marks(before=lambda: store.commit(made(checkpoint, 9, on=(8,))) and None)

    kept = replace(housekeeping(store, Policy(max_count=0)), removing=marks.removing)()

    assert (kept.removed, days(store.ids())) == ((), [9, 8])


def test_a_checkpoint_that_went_does_not_come_back(
    store: CheckpointStore, checkpoint: CheckpointView
) -> None:
    store.commit(checkpoint)
    store.remove(checkpoint.id)

    assert store.withhold(checkpoint.id) is None
    assert store.ids() == []


def test_a_budget_is_kept_and_what_is_there_may_be_written_again(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, budget_bytes=10)
    store.put("a", b"123456")

    with pytest.raises(BudgetExceededError, match="budget of 10 B"):
        store.put("b", b"12345")
    store.put("a", b"123456")
    store.put("b", b"1234")

    assert sum(entry.size_bytes for entry in store.shelf.entries("blobs")) == 10


def test_what_is_there_may_be_written_again_past_a_budget_that_was_lowered(tmp_path: Path) -> None:
    CheckpointStore(tmp_path).put("a", b"123456")
    CheckpointStore(tmp_path).put("b", b"123")
    store = CheckpointStore(tmp_path, budget_bytes=1)

    assert store.read(store.put("a", b"123456")) == b"123456"
    with pytest.raises(BudgetExceededError):
        store.put("c", b"1")
