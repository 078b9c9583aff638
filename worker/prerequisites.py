"""What has to be right before a model is loaded, which may take minutes."""

from pathlib import Path

from redis.exceptions import AuthenticationError, RedisError, ResponseError

from contract.ledger.connection import connect
from contract.settings import Settings
from contract.store.store import CheckpointStore

TIMEOUT_S = 3.0


class PrerequisiteError(Exception):
    """Root of what keeps a worker from starting.

    PrerequisiteError
    ├── NoModelError
    └── RefusedByRedisError
    """


class NoModelError(PrerequisiteError):
    """No model was named."""

    def __init__(self) -> None:
        super().__init__("set PALIMPSEST_MODEL_DIR to the directory of the model to serve")


class RefusedByRedisError(PrerequisiteError):
    """Redis answers, and will not have us: no patience helps."""

    def __init__(self, refusal: RedisError) -> None:
        super().__init__(f"REDIS_URL: {refusal}")


def checked(settings: Settings) -> Path:
    """The model's directory; raises `PrerequisiteError`, `UnknownStoreError`, `RedisUrlError`."""
    if settings.model_dir is None:
        raise NoModelError
    CheckpointStore(settings.store)
    try:
        connect(settings.redis_url, retries=0, timeout_s=TIMEOUT_S).ping()
    except (AuthenticationError, ResponseError) as refusal:
        raise RefusedByRedisError(refusal) from refusal
    except RedisError:
        pass  # it may come: the worker waits for it
    return settings.model_dir
