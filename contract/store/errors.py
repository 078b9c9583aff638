"""Errors of the checkpoint store."""

from contract.sizes import size


class StoreError(Exception):
    """Root of the store's errors.

    StoreError
    ├── CorruptFileError
    ├── WithheldError
    ├── UnreadableManifestError
    │   └── NewerManifestError
    ├── BudgetExceededError
    ├── UnknownStoreError
    └── StoreUnavailableError
        ├── StoreFullError
        └── MissingStoreError
    """


class CorruptFileError(StoreError):
    """A file does not read back as what was written, or is gone."""

    def __init__(self, path: str, *, expected: str, found: str | None) -> None:
        self.path = path
        told = "is gone" if found is None else f"reads back with SHA-256 {found}, not {expected}"
        super().__init__(f"{path} {told}")


class WithheldError(StoreError):
    """The edit has ended without a checkpoint: it may publish none any more."""

    def __init__(self, checkpoint_id: str) -> None:
        super().__init__(f"{checkpoint_id} is withheld")


class UnreadableManifestError(StoreError):
    """A manifest, or a base's record, exists but cannot be parsed: it has to be repaired, restored
    from a backup, or deleted."""

    def __init__(self, of: str) -> None:
        super().__init__(f"the manifest of {of} cannot be read")


class NewerManifestError(UnreadableManifestError):
    """A manifest is well, but of a later version's schema."""

    def __init__(self, of: str, *, found: int, known: int) -> None:
        StoreError.__init__(
            self,
            f"the manifest of {of} has schema {found}, this version reads {known}: upgrade it",
        )


class BudgetExceededError(StoreError):
    """The store has as many bytes as it may."""

    def __init__(self, budget_bytes: int) -> None:
        super().__init__(
            f"the store's budget of {size(budget_bytes)} is used up: delete checkpoints, or raise "
            "PALIMPSEST_STORE_BUDGET_BYTES"
        )


class UnknownStoreError(StoreError):
    """No store can be kept at a URL of that kind."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"PALIMPSEST_STORE_URL: {reason}")


class StoreUnavailableError(StoreError):
    """The store cannot be read or written now; the text names no path."""


class StoreFullError(StoreUnavailableError):
    """There is no room to write to."""


class MissingStoreError(StoreUnavailableError):
    """What lies where the store should be is another one, or none: a volume is not mounted, or not
    the right one."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        super().__init__(
            f"the expected store is missing: its file store.id has to say {identity}; mount the "
            "right one, or write that identity into the file to go on with what is there"
        )
