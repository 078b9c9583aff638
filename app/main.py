"""The application, put together from what it is given."""

from threading import Event

from app import handlers
from app.description.openapi import TAGS, Api
from app.guards.authentication import Authentication, KeyOwners
from app.guards.body_limit import BodyLimit
from app.guards.gate import Gate
from app.guards.own_names import foreign_name
from app.guards.plain_paths import line_break
from app.guards.tracing import Tracing
from app.guards.traffic import Traffic
from app.jobs.tokens import TokenCounters
from app.readiness import Readiness
from app.routes import (
    changes,
    checkpoints,
    edits,
    events,
    files,
    health,
    hub,
    limits,
    metrics,
    models,
    page,
    workers,
)
from app.service import Pace, Service
from app.store_probe import StoreProbe
from contract.keys import KeyRing, Keys
from contract.ledger.attempts import Attempts
from contract.ledger.ledger import Ledger
from contract.settings import Settings
from contract.store.store import CheckpointStore
from contract.wire.limits import Limits


def create_app(
    settings: Settings,
    *,
    ledger: Ledger,
    store: CheckpointStore,
    keys: KeyOwners | None = None,
    pace: Pace | None = None,
    stopping: Event | None = None,
) -> Api:
    """The API over a ledger and a store; it opens no connection until it is asked something.

    Setting `stopping` makes those who wait for an edit go home, so that the server can stop.
    """
    keys, pace = keys or KeyRing(Keys(), None), pace or Pace()
    # The default documentation pages load scripts from elsewhere; `/docs` is our own.
    app = Api(
        title="Palimpsest",
        version="1",
        summary="Overwrites single facts in a resident language model.",
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        asks_for_keys=not keys.is_empty,
    )
    traffic = Traffic()
    probe = StoreProbe(check=store.check_writable, fresh_s=pace.store_fresh_s)
    app.state.service = Service(
        ledger=ledger,
        attempts=Attempts(ledger.redis, lease_s=settings.lease_s),
        store=store,
        tokens=TokenCounters(store),
        readiness=Readiness(ledger, probe, None if keys.is_empty else keys),
        limits=Limits.of(settings),
        pace=pace,
        stopping=stopping or Event(),
        traffic=traffic,
    )
    for module in (
        edits,
        changes,
        events,
        checkpoints,
        files,
        hub,
        models,
        workers,
        limits,
        health,
        metrics,
        page,
    ):
        app.include_router(module.router)
    handlers.register(app)
    # The last one added is the outermost.
    app.add_middleware(Gate, refusal=line_break, refuse=handlers.raised_by_framework)
    app.add_middleware(
        BodyLimit, limit_bytes=settings.max_body_bytes, refuse=handlers.raised_by_framework
    )
    app.add_middleware(Authentication, owners=keys, refuse=handlers.refused)
    if keys.is_empty and not settings.allow_anonymous:
        app.add_middleware(Gate, refusal=foreign_name, refuse=handlers.refused)
    app.add_middleware(Tracing, traffic=traffic)
    return app
