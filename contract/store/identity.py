"""Which store a ledger goes with: the mount point of one that is away is an empty folder."""

from redis import Redis

from contract.ledger import names
from contract.store.store import CheckpointStore


def tie(store: CheckpointStore, redis: Redis) -> None:
    """Tell the store which one it has to be: the one that Redis knows. A Redis that knows none, at
    the first start or since it lost its data, goes with this one from now on.

    Raises `RedisError`, and `StoreUnavailableError` where this one is new and cannot be written.
    """
    known = redis.get(names.STORE)
    if known is None:
        redis.set(names.STORE, store.identity(), nx=True)
        known = redis.get(names.STORE)
    store.expect(str(known, "ascii"))
