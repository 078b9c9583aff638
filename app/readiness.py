"""Whether the service can take edits: each thing it needs is tried, not assumed."""

from collections.abc import Sequence
from dataclasses import dataclass

from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError

from app.guards.authentication import KeyOwners
from app.store_probe import StoreProbe
from contract.keys import KeysError
from contract.ledger import names
from contract.ledger.errors import SchemaMismatchError
from contract.ledger.ledger import Ledger
from contract.store.errors import StoreFullError
from contract.wire.frozen import Frozen
from contract.wire.serving import WorkerView

TRIED_MS = 1000
_WORDS: dict[type[ResponseError], str] = {ReadOnlyError: "READONLY", OutOfMemoryError: "OOM"}
"""Those that redis-py takes out of the text."""


class Check(Frozen):
    """One check."""

    name: str
    ok: bool
    required: bool = True
    detail: str


class ReadinessView(Frozen):
    """The checks, when all required ones passed."""

    status: str = "ready"
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Tries the ledger, the store, and the list of keys where keys are asked for."""

    ledger: Ledger
    store: StoreProbe
    keys: KeyOwners | None = None

    def checks(self) -> tuple[Check, ...]:
        redis, answers = self._redis()
        if answers:
            return (redis, self._schema(), self._store(), *self._keys(), *self._workers())
        # One that hangs takes seconds each time that it is asked.
        schema = Check(name="schema", ok=False, detail=redis.detail)
        workers = Check(name="workers", ok=False, required=False, detail=redis.detail)
        return (redis, schema, self._store(), *self._keys(), workers)

    def _redis(self) -> tuple[Check, bool]:
        """What came of a write, and whether there was an answer at all: what refuses writes may
        still be read."""
        try:
            self.ledger.redis.set(names.TRIED, b"", px=TRIED_MS)
        except ResponseError as error:
            told = f"refuses writes ({_word_of(error)})"
            return Check(name="redis", ok=False, detail=told), True
        except RedisError as error:
            return Check(name="redis", ok=False, detail=type(error).__name__), False
        return Check(name="redis", ok=True, detail="takes writes"), True

    def _schema(self) -> Check:
        try:
            self.ledger.check_schema()
        except (RedisError, SchemaMismatchError) as error:
            told = error if isinstance(error, SchemaMismatchError) else type(error).__name__
            return Check(name="schema", ok=False, detail=str(told))
        return Check(name="schema", ok=True, detail="matches")

    def _store(self) -> Check:
        fault = self.store.fault()
        if isinstance(fault, StoreFullError):
            return Check(name="store", ok=False, detail=f"is full ({fault})")
        if fault is not None:
            return Check(name="store", ok=False, detail=str(fault))
        return Check(name="store", ok=True, detail="can be read and written")

    def _keys(self) -> tuple[Check, ...]:
        if self.keys is None:
            return ()
        try:
            self.keys.check()
        except KeysError as error:  # whose own text names a path of this machine
            return (Check(name="keys", ok=False, detail=error.reason),)
        return (Check(name="keys", ok=True, detail="can be read"),)

    def _workers(self) -> tuple[Check, ...]:
        try:
            workers = self.ledger.presence.workers()
        except RedisError as error:
            told = type(error).__name__
            return (Check(name="workers", ok=False, required=False, detail=told),)
        return _checked(workers)


def _word_of(error: ResponseError) -> str:
    """Redis' own word for it, such as MISCONF; the rest may name a path of its machine."""
    word = _WORDS.get(type(error)) or str(error).partition(" ")[0]
    return word if word.isupper() else type(error).__name__


def _checked(workers: Sequence[WorkerView]) -> tuple[Check, ...]:
    """Reads go on without a worker, so the lack of one is no failure; one whose weights changed is,
    until another has taken its place."""
    n = sum(worker.is_fit for worker in workers)
    found = Check(name="workers", ok=n > 0, required=False, detail=f"{n} alive")
    tainted = [worker.id for worker in workers if not worker.is_fit]
    if not tainted:
        return (found,)
    return found, Check(name="weights", ok=False, detail=f"changed in {', '.join(tainted)}")
