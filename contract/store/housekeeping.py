"""Keeping the checkpoint store in bounds: by age, by number, and free of what nobody names."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from contract.store.shelf import Entry
from contract.store.store import BLOBS, MANIFESTS, CheckpointStore
from contract.wire.checkpoints import CheckpointView


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long checkpoints are kept, and how many; None sets no bound."""

    max_age_s: float | None = None
    max_count: int | None = None

    @property
    def keeps_all(self) -> bool:
        return self.max_age_s is None and self.max_count is None

    def expired(
        self,
        checkpoints: Iterable[CheckpointView],
        *,
        now_s: float,
        awaited: Collection[str] = (),
        among: Collection[str] | None = None,
    ) -> list[str]:
        """The ids of those to take away, of checkpoints given newest first.

        One that others are built on stays as long as they do; they are newer than it. So does one
        that is awaited: something is about to be built on it. `among` are the only ones that may
        go, where it is given.
        """
        gone: list[str] = []
        needed = set(awaited)
        for place, checkpoint in enumerate(checkpoints):
            may_go = checkpoint.id not in needed and (among is None or checkpoint.id in among)
            if may_go and self._outlived(checkpoint, place, now_s):
                gone.append(checkpoint.id)
            else:
                needed |= checkpoint.built_on
        return gone

    def _outlived(self, checkpoint: CheckpointView, place: int, now_s: float) -> bool:
        age_s = now_s - checkpoint.created_at.timestamp()
        too_old = self.max_age_s is not None and age_s > self.max_age_s
        return too_old or (self.max_count is not None and place >= self.max_count)


class Removal(Protocol):
    """Marks on checkpoints, on which nothing new is built."""

    def confirm(self, checkpoint_id: str) -> None: ...


Removing = Callable[[Collection[str]], AbstractContextManager[Removal]]
"""Sees to it that meanwhile nothing is accepted that is to be built on some checkpoints."""


@dataclass(frozen=True, slots=True)
class HousekeepingResult:
    """What a round of housekeeping did."""

    removed: tuple[str, ...] = ()
    n_swept: int = 0
    swept_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """Takes expired checkpoints away, then files that none of the others names.

    A file that was written less than `grace_s` ago may be one of a checkpoint that is not committed
    yet; one that is written again counts as new.
    """

    store: CheckpointStore
    policy: Policy
    building: Callable[[], Mapping[str, frozenset[str]]]
    """What jobs that have not ended are built on, by the checkpoint that each is to make."""
    removing: Removing
    grace_s: float
    clock: Callable[[], float] = time.time

    def __call__(self) -> HousekeepingResult:
        """One round; raises `StoreError` when the store cannot be read or written, and
        `RemovalOverdueError`."""
        removed = self._expire()
        swept = []
        for entry in self._unnamed():
            if self._is_old(entry.name):  # asked at the last moment: it may be written again
                self.store.shelf.remove(entry.name)
                swept.append(entry)
        return HousekeepingResult(
            tuple(removed), len(swept), sum(entry.size_bytes for entry in swept)
        )

    def _expire(self) -> list[str]:
        if self.policy.keeps_all:
            return []
        outlived = self._expired()
        if not outlived:
            return []
        with self.removing(outlived) as removal:
            expired = self._expired(among=outlived)  # what was accepted before the mark is seen now
            for checkpoint_id in expired:
                removal.confirm(checkpoint_id)
                self.store.remove(checkpoint_id)
        return expired

    def _expired(self, *, among: Collection[str] | None = None) -> list[str]:
        # Asked before the store is: what is published in between is built on it all the same.
        awaited = frozenset[str]().union(*self.building().values())
        checkpoints, now_s = self.store.checkpoints(), self.clock()
        return self.policy.expired(checkpoints, now_s=now_s, awaited=awaited, among=among)

    def _unnamed(self) -> Iterable[Entry]:
        """Blobs that no manifest names, and what interrupted writes left beside the others."""
        blobs, manifests = (list(self.store.shelf.entries(f)) for f in (BLOBS, MANIFESTS))
        named = self.store.named()
        yield from (entry for entry in blobs if PurePosixPath(entry.name).name not in named)
        yield from (e for e in manifests if PurePosixPath(e.name).name.startswith("."))

    def _is_old(self, name: str) -> bool:
        try:
            return self.clock() - self.store.shelf.changed_s(name) > self.grace_s
        except FileNotFoundError:  # another worker was faster
            return False
