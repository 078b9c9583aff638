"""`python -m worker.health`: exit 0 while a worker on this host is alive and fit."""

import os
import socket
import sys
from collections.abc import Sequence

from redis.exceptions import RedisError

from contract.ledger.connection import RedisUrlError, connect
from contract.ledger.presence import Presence
from contract.settings import Settings, SettingsError
from contract.wire.serving import WorkerView

TIMEOUT_S = 3.0


def main() -> int:
    """Print what was found; returns 1 when there is no such worker, or Redis cannot tell."""
    host = socket.gethostname()
    try:
        settings = Settings.from_environment(os.environ)
        redis = connect(settings.redis_url, retries=0, timeout_s=TIMEOUT_S)
        found = worker_on(host, Presence(redis).workers())
    except (SettingsError, RedisUrlError) as error:
        print(error)
        return 1
    except RedisError as error:
        print(f"Redis does not answer: {error}")
        return 1
    if found is None:
        print(f"no healthy worker is alive on {host}")
        return 1
    print(f"{found.id} is {found.state}")
    return 0


def worker_on(host: str, live: Sequence[WorkerView]) -> WorkerView | None:
    """The first of the fit workers on that host: in a container, its only one."""
    return next((worker for worker in live if worker.is_fit and worker.host == host), None)


if __name__ == "__main__":
    sys.exit(main())
