"""An API that is served from a thread of the test's process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis.exceptions import RedisError

from app.main import create_app
from app.server import server_of
from app.service import Pace
from contract.keys import KeyRing
from contract.ledger.connection import connect
from contract.ledger.ledger import Ledger
from contract.settings import Settings
from contract.store.errors import StoreUnavailableError
from contract.store.identity import pin
from contract.store.store import CheckpointStore

FAST = Pace(poll_s=0.02, heartbeat_s=0.2, store_fresh_s=0.0)


@contextmanager
def served_api(settings: Settings, store: CheckpointStore | None = None) -> Iterator[str]:
    """Its base URL; over a store of one's own, if one is given."""
    stopping = threading.Event()
    redis = connect(settings.redis_url, retries=0, timeout_s=2.0)
    ledger = Ledger(
        redis,
        max_queued=settings.max_queued,
        idempotency_ttl_s=settings.idempotency_ttl_s,
    )
    store = store or CheckpointStore(settings.data_dir)
    with suppress(RedisError, StoreUnavailableError):
        pin(store, redis)
    app = create_app(
        settings,
        ledger=ledger,
        store=store,
        keys=KeyRing.of(settings),
        pace=FAST,
        stopping=stopping,
    )
    server = server_of(app, host="127.0.0.1", port=0, stopping=stopping)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        redis.close()
