"""Many facts, posted and followed until each has ended."""

import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from contract.wire.edits import EditRequest
from contract.wire.views import EditView
from palimpsest.errors import BusyError, ServiceError, UnauthorizedError, UnavailableError
from palimpsest.facts.facts import Fact
from palimpsest.watching import Jobs, shown


class Edits(Jobs[EditView], Protocol):
    """What delivery asks of a client."""

    def create(self, request: EditRequest, *, idempotency_key: str) -> EditView: ...


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service has taken a fact."""

    index: int
    edit: EditView


@dataclass(frozen=True, slots=True)
class Refused:
    """The service would not take a fact."""

    index: int
    error: ServiceError


@dataclass(frozen=True, slots=True)
class Ended:
    """An edit is final."""

    index: int
    edit: EditView


Step = Accepted | Refused | Ended


def deliver(
    edits: Edits, facts: Sequence[Fact], *, wait: bool, watch: Callable[[EditView], None]
) -> Iterator[Step]:
    """Post every fact; with `wait` follow the edits too, in the order in which they were posted.

    While the queue is full, edits that were posted before are followed first. `watch` sees each
    unfinished edit as it goes on.
    """
    pending: deque[Accepted] = deque()
    for fact in facts:
        key = secrets.token_hex(16)
        while isinstance(step := _post(edits, fact, key), _Full):
            if pending:
                yield _follow(edits, pending.popleft(), watch)
        if isinstance(step, Accepted) and wait:
            pending.append(step)
        yield step
    while pending:
        yield _follow(edits, pending.popleft(), watch)


class _Full:
    """The queue took nothing; the client has waited as long as it was told to."""


def _post(edits: Edits, fact: Fact, key: str) -> Accepted | Refused | _Full:
    try:
        return Accepted(fact.index, edits.create(fact.request, idempotency_key=key))
    except BusyError:
        return _Full()
    except (UnavailableError, UnauthorizedError):  # it is not for this fact that nothing is taken
        raise
    except ServiceError as error:
        return Refused(fact.index, error)


def _follow(edits: Edits, accepted: Accepted, watch: Callable[[EditView], None]) -> Ended:
    view = accepted.edit
    for view in shown(edits, accepted.edit.id):
        if not view.status.is_final:
            watch(view)
    return Ended(accepted.index, view)
