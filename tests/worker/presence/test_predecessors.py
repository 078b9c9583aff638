"""What workers that were killed left behind is forgotten by the next one."""

from redis import Redis
from worker_views import WORKER

from contract.ledger import names
from contract.ledger.presence import Presence
from contract.wire.serving import WorkerState
from worker.presence.identity import Identity
from worker.presence.predecessors import forget_predecessors

IDENTITY = Identity(
    worker_id="here-2-bb",
    model=WORKER.model,
    host=WORKER.host,
    pid=2,
    device=WORKER.device,
    started_at=WORKER.started_at,
)


def test_the_name_of_a_silent_worker_goes_and_that_of_a_live_one_stays(redis: Redis) -> None:
    Presence(redis).publish_worker(WORKER, ttl_s=60)
    redis.sadd(names.WORKERS, "silent-1-aa")

    forget_predecessors(IDENTITY, redis)

    assert redis.smembers(names.WORKERS) == {WORKER.id.encode()}


def test_a_tainted_worker_on_the_same_device_has_been_replaced(redis: Redis) -> None:
    tainted = WORKER.model_copy(update={"state": WorkerState.TAINTED})
    elsewhere = tainted.model_copy(update={"id": "there-1-aa", "host": "there"})
    presence = Presence(redis)
    for worker in (tainted, elsewhere):
        presence.publish_worker(worker, ttl_s=60)

    forget_predecessors(IDENTITY, redis)

    assert [worker.id for worker in presence.workers()] == ["there-1-aa"]


def test_rqs_name_of_a_dead_worker_goes(redis: Redis) -> None:
    registry = f"rq:workers:{names.queue_of(WORKER.model)}"
    for key in (registry, "rq:workers"):
        redis.sadd(key, "rq:worker:dead-1-aa")

    forget_predecessors(IDENTITY, redis)

    assert not redis.exists(registry, "rq:workers")


def test_jobs_that_no_worker_lived_to_take_are_left_to_the_sweep(redis: Redis) -> None:
    on_the_way = f"rq:queue:{names.queue_of(WORKER.model)}:intermediate"
    redis.lpush(on_the_way, "edit-0123")

    forget_predecessors(IDENTITY, redis)

    assert not redis.exists(on_the_way)
