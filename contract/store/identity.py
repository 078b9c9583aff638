"""Which store a ledger goes with: the mount point of one that is away is an empty folder."""

from redis import Redis

from contract.ledger import names
from contract.store.store import CheckpointStore


def pin(store: CheckpointStore, redis: Redis) -> None:
    """Make the store refuse to work unless its identity is the one that Redis remembers. A Redis
    that remembers none, at the first start or after losing its data, remembers this store's.

    Raises `RedisError`, and `StoreUnavailableError` where this one is new and cannot be written.
    """
    known = redis.get(names.STORE)
    if known is None:
        redis.set(names.STORE, store.identity(), nx=True)
        known = redis.get(names.STORE)
    store.expect(str(known, "ascii"))
