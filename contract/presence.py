"""Who is there: the models that are served and the workers that serve them."""

from redis import Redis

from contract import names
from contract.views import ModelView, WorkerState, WorkerView


class Presence:
    """Models stay known after their workers are gone; workers fade when they fall silent."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def publish_model(self, model: ModelView) -> None:
        self._redis.hset(names.MODELS, model.name, model.model_dump_json())

    def publish_worker(self, worker: WorkerView, *, ttl_s: float) -> None:
        """Tell of a live worker; it is forgotten after `ttl_s` seconds of silence."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.sadd(names.WORKERS, worker.id)
            pipe.set(names.worker(worker.id), worker.model_dump_json(), px=int(ttl_s * 1000))
            pipe.execute()

    def remove_worker(self, worker_id: str) -> None:
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.srem(names.WORKERS, worker_id)
            pipe.delete(names.worker(worker_id))
            pipe.execute()

    def workers(self) -> list[WorkerView]:
        """The live workers, by id; silent ones are skipped, and stay listed until removed."""
        ids = sorted(raw.decode() for raw in self._redis.smembers(names.WORKERS))
        if not ids:
            return []
        found = self._redis.mget([names.worker(worker_id) for worker_id in ids])
        return [WorkerView.model_validate_json(raw) for raw in found if raw is not None]

    def forget_silent(self) -> None:
        """Drop the names of workers that fell silent."""
        for raw in self._redis.smembers(names.WORKERS):
            if not self._redis.exists(names.worker(raw.decode())):
                self._redis.srem(names.WORKERS, raw)

    def forget_tainted(self, *, host: str, model: str, device: str) -> None:
        """Drop the workers there that found their weights changed: they have been replaced."""
        for worker in self.workers():
            place = (worker.host, worker.model, worker.device)
            if worker.state is WorkerState.TAINTED and place == (host, model, device):
                self.remove_worker(worker.id)

    def models(self) -> list[ModelView]:
        """Every model ever published, by name, with its live workers and queued edits."""
        workers = self.workers()
        known = self._redis.hgetall(names.MODELS)
        models = [ModelView.model_validate_json(raw) for _, raw in sorted(known.items())]
        return [
            model.model_copy(
                update={
                    "workers": sum(
                        worker.model == model.name and worker.state is not WorkerState.TAINTED
                        for worker in workers
                    ),
                    "queued": self._redis.zcard(names.index(model=model.name, status="queued")),
                }
            )
            for model in models
        ]
