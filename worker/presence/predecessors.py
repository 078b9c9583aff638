"""What workers that were killed left behind."""

from redis import Redis
from rq import Queue
from rq.worker_registration import clean_worker_registry

from contract.ledger import names
from contract.ledger.presence import Presence
from worker.presence.identity import Identity


def forget_predecessors(identity: Identity, redis: Redis) -> None:
    """Drop their names, ours and RQ's, and jobs on the way."""
    presence = Presence(redis)
    presence.forget_silent()
    presence.forget_tainted(host=identity.host, model=identity.model, device=identity.device)
    queue = Queue(names.queue_of(identity.model), connection=redis)
    clean_worker_registry(queue)
    # Jobs that no worker lived to take: the sweep puts back those whose edits are not done.
    redis.delete(queue.intermediate_queue_key)
