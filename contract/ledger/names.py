"""The names by which the processes find each other in Redis."""

SCHEMA_VERSION = 1
PREFIX = "palimpsest:"

TASK = "worker.tasks.run_edit"

SCHEMA = PREFIX + "schema"
EDITS = PREFIX + "edits"
WORKERS = PREFIX + "workers"
MODELS = PREFIX + "models"
# Sorted set: ended edits as "<time> <id>", all of one score.
FINISHED = EDITS + ":finished"
# Sorted set: edits that have a deadline, by it.
DEADLINES = EDITS + ":deadlines"
# Hash: how much memory ended edits took, a count for each bucket.
TALLY = EDITS + ":tally"
# String: the identity of the store that the ledger goes with.
STORE = PREFIX + "store"
# String with a time to live: whether anything can be written.
TRIED = PREFIX + "tried"
# String: there once the store's finished edits are listed; gone when Redis has lost its data.
RESTORED = PREFIX + "restored"
# String with a time to live: the worker whose turn it is to list them.
RESTORING = RESTORED + ":turn"


def queue_of(model: str) -> str:
    """The RQ queue of a model: one queue each, taken in order."""
    return f"palimpsest:{model}"


def edit(edit_id: str) -> str:
    """Hash: the record of an edit."""
    return f"{PREFIX}edit:{edit_id}"


def events(edit_id: str) -> str:
    """Stream: what happened to an edit."""
    return f"{PREFIX}edit:{edit_id}:events"


def lease(edit_id: str) -> str:
    """String with a time to live: the worker that holds the edit now."""
    return f"{PREFIX}edit:{edit_id}:lease"


def gone(edit_id: str) -> str:
    """String with a time to live: there was such an edit."""
    return f"{PREFIX}edit:{edit_id}:gone"


def index(*, model: str | None = None, status: str | None = None) -> str:
    """Sorted set of edit ids, all of one score, so that ids order it."""
    return f"{EDITS}:model={model or '*'}:status={status or '*'}"


def indexes(*, model: str, status: str) -> list[str]:
    """All the indexes that an edit of a model and a status is in."""
    return [index(model=m, status=s) for m in (None, model) for s in (None, status)]


def idempotency(key_digest: str) -> str:
    """String: the edit that a key made, and the digest of its body."""
    return f"{PREFIX}idempotency:{key_digest}"


def removing(checkpoint_id: str) -> str:
    """Set with a time to live: who is about to remove a checkpoint."""
    return f"{PREFIX}removing:{checkpoint_id}"


def probing(circumstances_digest: str) -> str:
    """String with a time to live: what a worker's probes found."""
    return f"{PREFIX}probing:{circumstances_digest}"


def worker(worker_id: str) -> str:
    """String with a time to live: a worker's last word."""
    return f"{PREFIX}worker:{worker_id}"
