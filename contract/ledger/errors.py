"""What the ledger refuses."""

from contract.ledger import names


class LedgerError(Exception):
    """Root of the ledger's errors.

    LedgerError
    ├── SchemaMismatchError
    ├── IdempotencyMismatchError
    └── QueueFullError
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
