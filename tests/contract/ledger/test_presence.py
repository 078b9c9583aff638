"""How often the ledger is asked who is there, by many that ask at once."""

from typing import Any

from contract.ledger.presence import OVERDUE, Presence, Snapshot

FRESH_S = 0.2


class Crowd:
    """A Redis of nobody; while it is read the next time, another asks the same `presence`."""

    presence: Presence
    other: Snapshot | None = None
    reads = 0
    is_crowded = False

    def pipeline(self, **_: Any) -> "Pipe":
        return Pipe(self)

    def read(self) -> None:
        self.reads += 1
        if self.is_crowded:
            self.is_crowded = False
            self.other = self.presence.survey()


class Pipe:
    """Commands of one round trip, and their answers."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._answers: list[Any] = []

    def __enter__(self) -> "Pipe":
        return self

    def __exit__(self, *_: object) -> None: ...

    def smembers(self, _: str) -> None:
        self._crowd.read()
        self._answers.append(frozenset())

    def hgetall(self, _: str) -> None:
        self._answers.append({})

    def execute(self) -> list[Any]:
        return self._answers


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def crowd() -> tuple[Crowd, Clock]:
    redis, clock = Crowd(), Clock()
    redis.presence = Presence(redis, fresh_s=FRESH_S, monotonic=clock)  # type: ignore[arg-type]
    return redis, clock


def test_one_of_many_reads_and_the_others_take_what_was_read_last() -> None:
    redis, clock = crowd()
    first = redis.presence.survey()

    clock.now_s, redis.is_crowded = FRESH_S, True
    second = redis.presence.survey()

    assert (redis.reads, redis.other) == (2, first)
    assert second.read_s == FRESH_S


def test_what_was_read_long_ago_is_read_again_by_everyone() -> None:
    redis, clock = crowd()
    redis.presence.survey()

    clock.now_s, redis.is_crowded = OVERDUE * FRESH_S, True
    redis.presence.survey()

    assert redis.reads == 3
    assert redis.other is not None and redis.other.read_s == OVERDUE * FRESH_S


def test_nobody_waits_for_another_when_nothing_was_read_yet() -> None:
    redis, _ = crowd()
    redis.is_crowded = True

    redis.presence.survey()

    assert redis.reads == 2
