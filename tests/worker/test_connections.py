"""A worker waits for Redis with its work, and not with its heartbeats."""

from redis import Redis

from contract.ledger.ledger import Ledger
from contract.settings import Settings
from worker.connections import Connection, Connections


def reach_s(connection: Connection) -> float:
    """How long a command may go unanswered, its retries included."""
    options = connection.redis.connection_pool.connection_kwargs
    return float(options["socket_timeout"] * (1 + options["retry"].get_retries()))


def test_the_impatient_connection_gives_up_within_a_lease_and_the_patient_one_waits() -> None:
    connections = Connections.open(Settings(lease_s=6.0))

    assert (reach_s(connections.impatient), reach_s(connections.patient)) == (3.0, 1815.0)


def test_both_lead_to_the_head_of_the_same_queue(redis: Redis, redis_url: str) -> None:
    connections = Connections.open(Settings(redis_url=redis_url))

    for edit_id, way in (("edit-1", connections.patient), ("edit-2", connections.impatient)):
        way.head_of("demo").queue.put(edit_id, at_front=True)

    assert Ledger(redis).queue("demo").ids() == ["edit-2", "edit-1"]
