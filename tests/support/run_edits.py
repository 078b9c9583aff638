"""What several tests of a worker's attempts need."""

from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis

from contract.ledger.attempts import Attempt, Attempts
from contract.ledger.ledger import Ledger, names
from contract.wire.checkpoints import CheckpointFile, CheckpointView
from contract.wire.failures import ErrorCode
from contract.wire.lifecycle import EditStatus
from contract.wire.views import EditView
from worker.attempt.resources import Resources

Submit = Callable[..., str]
MakeResources = Callable[..., Resources]


@dataclass
class FailingStore:
    """A store whose disk gives `error`."""

    error: Exception

    def check_present(self) -> None: ...

    def withhold(self, checkpoint_id: str) -> None:
        raise self.error

    def put(self, path: str, content: bytes) -> CheckpointFile:
        raise self.error

    def read(self, file: CheckpointFile) -> bytes:
        raise self.error

    def commit(self, checkpoint: CheckpointView) -> CheckpointView:
        raise self.error

    def find(self, checkpoint_id: str) -> None:
        return None


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def found(ledger: Ledger, edit_id: str) -> EditView:
    view = ledger.find(edit_id)
    assert view is not None
    return view


def overtake(redis: Redis, edit_id: str) -> Attempt:
    """Let the lease run out, and another worker begin the edit."""
    redis.delete(names.lease(edit_id))
    attempt = Attempts(redis, lease_s=30).claim(edit_id, worker_id="there-2-bb")
    assert attempt is not None
    return attempt


def error_of(view: EditView) -> tuple[EditStatus, ErrorCode]:
    assert view.error is not None
    return view.status, view.error.code
