"""What is refused about checkpoints, their files, and what they are built on."""

from collections.abc import Sequence

from app.errors import ApiError, FieldError
from contract.wire.failures import ErrorCode


class CheckpointError(ApiError):
    """Root of these errors.

    CheckpointError
    ├── CheckpointNotFoundError
    ├── NoCompositionError
    ├── CheckpointInUseError
    ├── EditNotPublishedError
    ├── FileNotInCheckpointError
    ├── FileDamagedError
    ├── BaseUnavailableError
    ├── FullModelUnavailableError
    └── HubError
        ├── RepositoryNotFoundError
        ├── RevisionNotFoundError
        └── EntryNotFoundError
    """


class CheckpointNotFoundError(CheckpointError):
    """There is no checkpoint of that id."""

    code = ErrorCode.CHECKPOINT_NOT_FOUND

    def __init__(self, checkpoint_id: str) -> None:
        super().__init__(f"there is no checkpoint {checkpoint_id!r}")


class NoCompositionError(CheckpointError):
    """No composition was asked for under that id."""

    code = ErrorCode.CHECKPOINT_NOT_FOUND

    def __init__(self, checkpoint_id: str) -> None:
        super().__init__(
            f"there is no composition {checkpoint_id!r}; a single edit goes by its own id"
        )


class CheckpointInUseError(CheckpointError):
    """Other checkpoints are built on it."""

    code = ErrorCode.CHECKPOINT_IN_USE

    def __init__(self, checkpoint_id: str, *, by: Sequence[str]) -> None:
        first, *others = by
        more = f" and {len(others)} more" if others else ""
        needed = f"{checkpoint_id} is needed by {first}{more}"
        detail = f"{needed}: delete those checkpoints first, and cancel those that are unfinished"
        super().__init__(detail, members={"used_by": list(by)})


class EditNotPublishedError(CheckpointError):
    """An edit that is to be put with others has no checkpoint, or not yet."""

    code = ErrorCode.EDIT_NOT_PUBLISHED

    def __init__(self, edit_id: str, *, pointer: str) -> None:
        detail = f"{edit_id} has no checkpoint: compose edits that have succeeded"
        super().__init__(detail, errors=[FieldError(pointer=pointer, detail=detail)])


class FileNotInCheckpointError(CheckpointError):
    """The checkpoint's manifest names no such file."""

    code = ErrorCode.FILE_NOT_FOUND

    def __init__(self, path: str) -> None:
        super().__init__(f"the checkpoint has no file {path!r}")


class FileDamagedError(CheckpointError):
    """A file of a committed checkpoint is gone from the store, or has another size."""

    code = ErrorCode.STORE_CORRUPT

    def __init__(self, path: str) -> None:
        super().__init__(f"the store no longer holds {path!r} as it was published")


class BaseUnavailableError(CheckpointError):
    """The base model's files are not, or no longer, what the worker loaded."""

    code = ErrorCode.BASE_UNAVAILABLE

    def __init__(self, why: str) -> None:
        super().__init__(f"the base model is not available: {why}")


class FullModelUnavailableError(CheckpointError):
    """The base is kept in a form over which no columns can be laid."""

    code = ErrorCode.FULL_MODEL_UNAVAILABLE

    def __init__(self, why: str) -> None:
        super().__init__(f"the full model cannot be made (the adapter is available): {why}")


class HubError(CheckpointError):
    """Something is not there, told as Hugging Face's clients understand it."""

    code = ErrorCode.NOT_FOUND
    kind: str

    def __init__(self, detail: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail, headers={"X-Error-Code": self.kind} | (headers or {}))


class RepositoryNotFoundError(HubError):
    """No checkpoint or model has that name."""

    kind = "RepoNotFound"

    def __init__(self, repo_id: str) -> None:
        super().__init__(f"there is no repository {repo_id!r}")


class RevisionNotFoundError(HubError):
    """The repository has another commit, and no such branch."""

    kind = "RevisionNotFound"

    def __init__(self, repo_id: str, revision: str) -> None:
        super().__init__(f"repository {repo_id!r} has no revision {revision!r}")


class EntryNotFoundError(HubError):
    """The repository has no such file."""

    kind = "EntryNotFound"

    def __init__(self, repo_id: str, path: str, *, commit: str) -> None:
        detail = f"repository {repo_id!r} has no file {path!r}"
        super().__init__(detail, headers={"X-Repo-Commit": commit})
