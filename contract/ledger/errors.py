"""What the ledger refuses."""

from collections.abc import Sequence

from contract.ledger import names


class LedgerError(Exception):
    """Root of the ledger's errors.

    LedgerError
    ├── SchemaMismatchError
    ├── IdempotencyMismatchError
    ├── QueueFullError
    ├── UnknownRequestError
    ├── UnreadableRecordError
    ├── BeingRemovedError
    └── RemovalOverdueError
    """


class SchemaMismatchError(LedgerError):
    """Redis holds a ledger of another version."""

    def __init__(self, found: str) -> None:
        self.found = found
        super().__init__(
            f"Redis holds a ledger of schema {found}, this version needs schema "
            f"{names.SCHEMA_VERSION}: run one version everywhere, or use another Redis"
        )


class IdempotencyMismatchError(LedgerError):
    """A key was used before, with another body."""

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key was used with a different request")


class QueueFullError(LedgerError):
    """As many edits of the model wait in line as may."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"the model's queue is full ({limit} edits wait); try again later")


class UnknownRequestError(LedgerError):
    """A job was accepted by a later version, and asks for what this one cannot do."""

    def __init__(self, job_id: str, fields: Sequence[str]) -> None:
        told = ", ".join(fields)
        super().__init__(f"{job_id} asks for what this version does not know: {told}")


class UnreadableRecordError(LedgerError):
    """A record is there and says nothing that this version understands."""

    def __init__(self, job_id: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"the record of {job_id} cannot be read: a later version wrote it, or it is damaged"
        )


class BeingRemovedError(LedgerError):
    """A job is to be built on a checkpoint that is being taken away."""

    def __init__(self, checkpoint_id: str) -> None:
        self.checkpoint_id = checkpoint_id
        super().__init__(f"{checkpoint_id} is being taken away")


class RemovalOverdueError(LedgerError):
    """A checkpoint's mark was lost before it was removed: something may be built on it by now."""

    def __init__(self, checkpoint_id: str) -> None:
        super().__init__(f"{checkpoint_id} was not marked until its end")
