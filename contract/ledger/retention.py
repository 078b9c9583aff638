"""Forgetting edits that ended long ago."""

import time
from collections.abc import Callable

from redis import Redis

from contract.ledger import names, scripts
from contract.times import rfc3339

MAX_AT_ONCE = 100


class Retention:
    """Keeps ended edits for `keep_s` seconds, and for as long again the fact that they were."""

    def __init__(
        self, redis: Redis, *, keep_s: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._redis = redis
        self._keep_s = keep_s
        self._clock = clock
        self._forget = redis.register_script(scripts.FORGET)

    def forget_old(self, *, most: int = MAX_AT_ONCE) -> int:
        """Forget the oldest that ended too long ago, `most` at once; returns how many."""
        too_old = f"({rfc3339(self._clock() - self._keep_s)}"
        found = self._redis.zrangebylex(names.FINISHED, "-", too_old, start=0, num=most)
        for member in found:
            edit_id = member.decode().rsplit(" ", 1)[1]
            keys = [names.edit(edit_id), names.events(edit_id), names.gone(edit_id), names.FINISHED]
            self._forget(keys, [names.EDITS, edit_id, member, self._keep_s])
        return len(found)
