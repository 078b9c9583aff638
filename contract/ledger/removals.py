"""Marks on checkpoints that are being removed, so that no new job is accepted on one.

A checkpoint is marked first, and then its dependents are looked for: a job that was accepted before
the mark is found, and none is accepted after it.
"""

import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from redis import Redis

from contract.ledger import names
from contract.ledger.errors import RemovalOverdueError

TTL_S = 600
"""Longer than it takes to ask, and than a request that has seen a checkpoint is under way."""


@dataclass(frozen=True, slots=True)
class Removal:
    """One's own marks on some checkpoints; several may mark the same."""

    redis: Redis
    owner: str = field(default_factory=lambda: secrets.token_hex(8))
    confirmed: set[str] = field(default_factory=set)

    def mark(self, checkpoint_ids: Collection[str]) -> None:
        with self.redis.pipeline(transaction=True) as pipe:
            for checkpoint_id in checkpoint_ids:
                pipe.sadd(names.removing(checkpoint_id), self.owner)
                pipe.expire(names.removing(checkpoint_id), TTL_S)
            pipe.execute()

    def confirm(self, checkpoint_id: str) -> None:
        """Leave the mark, since the checkpoint goes now: who saw it there may still be about to
        build on it. Raises `RemovalOverdueError` when the mark did not stand until now."""
        key = names.removing(checkpoint_id)
        if not (self.redis.sismember(key, self.owner) and self.redis.expire(key, TTL_S)):
            raise RemovalOverdueError(checkpoint_id)
        self.confirmed.add(checkpoint_id)

    def give_up(self, checkpoint_ids: Collection[str]) -> None:
        """Take back the marks of those that do not go."""
        with self.redis.pipeline(transaction=True) as pipe:
            for checkpoint_id in set(checkpoint_ids) - self.confirmed:
                pipe.srem(names.removing(checkpoint_id), self.owner)
            pipe.execute()


@contextmanager
def removing(redis: Redis, checkpoint_ids: Collection[str]) -> Iterator[Removal]:
    """Mark checkpoints; marks that were not confirmed are taken back at the end."""
    removal = Removal(redis)
    try:
        removal.mark(checkpoint_ids)
        yield removal
    finally:
        removal.give_up(checkpoint_ids)
