"""`python -m app`: serve the API that the environment describes."""

import gc
import logging
import os
import sys
from threading import Event

from app.guards.tracing import traced
from app.main import create_app
from app.maintenance import Maintenance, repeated
from app.server import server_of
from contract import logs
from contract.binding import OpenToAllError, check_binding
from contract.keys import KeyRing, KeysError
from contract.ledger.attempts import Attempts
from contract.ledger.connection import RedisUrlError, connect
from contract.ledger.ledger import Ledger
from contract.ledger.retention import Retention
from contract.settings import Settings, SettingsError
from contract.store.errors import UnknownStoreError
from contract.store.store import CheckpointStore

REFUSED = 2
REDIS_RETRIES = 1
REDIS_TIMEOUT_S = 2.0
FRESH_S = 0.2
"""How old news of models and workers may be."""


def main() -> int:
    """Run until told to stop; returns the exit status: 2 when the settings cannot be served."""
    try:
        settings = Settings.from_environment(os.environ)
        keys = KeyRing.of(settings)
        check_binding(settings, has_keys=not keys.is_empty)
        logs.configure(settings.log_level, lines=logs.JsonLines(traced))
        redis = connect(
            settings.redis_url,
            retries=REDIS_RETRIES,
            timeout_s=REDIS_TIMEOUT_S,
            retry_on_timeout=False,
        )
        store = CheckpointStore(settings.store)
    except (SettingsError, OpenToAllError, KeysError, RedisUrlError, UnknownStoreError) as error:
        print(f"the API cannot start: {error}", file=sys.stderr)
        return REFUSED
    ledger = Ledger(
        redis,
        job_timeout_s=settings.job_timeout_s,
        max_queued=settings.max_queued,
        idempotency_ttl_s=settings.idempotency_ttl_s,
        fresh_s=FRESH_S,
    )
    stopping = Event()
    app = create_app(settings, ledger=ledger, store=store, keys=keys, stopping=stopping)
    server = server_of(app, host=settings.host, port=settings.port, stopping=stopping)
    gc.freeze()  # what is there by now stays: no collection has to look through it again
    try:
        with repeated(_maintenance(settings, ledger, store)):
            server.run()
    except SystemExit:  # of uvicorn, which has logged why
        told = f"{settings.host} port {settings.port}"
        print(f"the API cannot start: it cannot listen on {told}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        logging.getLogger("app").info("interrupted")  # the server has stopped clean already
    return 0 if server.started else 1


def _maintenance(settings: Settings, ledger: Ledger, store: CheckpointStore) -> Maintenance:
    return Maintenance(
        ledger=ledger,
        attempts=Attempts(ledger.redis, lease_s=settings.lease_s),
        store=store,
        retention=Retention(ledger.redis, keep_s=settings.retention_s),
        lease_s=settings.lease_s,
    )


if __name__ == "__main__":
    sys.exit(main())
