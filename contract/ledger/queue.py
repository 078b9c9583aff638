"""The RQ queue of a model, seen as a line of edit ids."""

from redis import Redis
from redis.client import Pipeline
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from contract.ledger import names


class EditQueue:
    """One line per model; a worker takes edits from its head, one after another."""

    def __init__(self, redis: Redis, model: str, *, job_timeout_s: int) -> None:
        self._redis = redis
        self._rq = Queue(
            names.queue_of(model),
            connection=redis,
            serializer=JSONSerializer,
            default_timeout=job_timeout_s,
        )

    def put(
        self, edit_id: str, *, pipeline: Pipeline | None = None, at_front: bool = False
    ) -> None:
        """Add an edit, within `pipeline`'s transaction if one is given."""
        self._rq.enqueue_call(
            names.TASK,
            args=(edit_id,),
            job_id=edit_id,
            result_ttl=0,
            failure_ttl=0,
            at_front=at_front,
            pipeline=pipeline,
        )

    @property
    def key(self) -> str:
        """The list of ids in Redis."""
        return str(self._rq.key)

    def job_key(self, edit_id: str) -> str:
        """Where RQ keeps an edit's job."""
        return str(Job.key_for(edit_id))

    def ids(self) -> list[str]:
        """All who stand in line, the next one first."""
        return [raw.decode() for raw in self._redis.lrange(self._rq.key, 0, -1)]

    def __len__(self) -> int:
        return int(self._redis.llen(self._rq.key))
