"""The service as Python objects: `with Client("http://127.0.0.1:8000") as client: …`."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx
from pydantic import BaseModel

from contract.wire.checkpoints import CheckpointPage, CheckpointView, CompositionView
from contract.wire.edits import EditRequest
from contract.wire.estimates import EditEstimate
from contract.wire.lifecycle import EditStatus
from contract.wire.limits import Limits
from contract.wire.serving import ModelView, WorkerView
from contract.wire.views import EditEvent, EditPage, EditView
from palimpsest.errors import ConflictError, ServiceError
from palimpsest.transport import endpoints
from palimpsest.transport.calls import Caller
from palimpsest.transport.connection import (
    check_url,
    headers_of,
    is_loopback,
    usable_environment,
)
from palimpsest.transport.download import download
from palimpsest.transport.endpoints import Check, Endpoint, Readiness
from palimpsest.transport.feed import Feed
from palimpsest.transport.polling import PAUSE_S, Polling
from palimpsest.transport.retries import BRIEF, NEVER, Retries

View = TypeVar("View", bound=BaseModel)


class Client:
    """One service. Calls are tried again after 429, 503 and broken connections, which is safe:
    each edit is sent with an idempotency key. After about ten seconds without an answer, or
    `timeout_s` where that is longer, they are given up. A URL, a key, or an environment's proxies
    that cannot be used raise `ValueError`."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 10.0,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        check_url(base_url)
        headers = headers_of(api_key)
        with usable_environment():
            direct = httpx.HTTPTransport() if is_loopback(base_url) else None
            self._http = httpx.Client(
                base_url=base_url, headers=headers, transport=transport or direct
            )
        policy = Retries() if retries is None else retries
        self._caller = Caller(self._http, timeout_s=timeout_s, retries=policy, sleep=sleep)
        self.edits = Edits(self._caller, sleep=sleep)
        self.checkpoints = Checkpoints(self._caller, sleep=sleep)

    def models(self) -> tuple[ModelView, ...]:
        """The models that are, or were, served."""
        return _answer(self._caller, endpoints.MODELS).items

    def workers(self) -> tuple[WorkerView, ...]:
        """The workers that are alive."""
        return _answer(self._caller, endpoints.WORKERS).items

    def limits(self) -> Limits:
        """How much may be asked for, and how long things are kept."""
        return _answer(self._caller, endpoints.LIMITS)

    def check_alive(self) -> None:
        """Raise `UnreachableError` soon, in about a second, if no service is there."""
        self._caller.answer(endpoints.ALIVE, retries=BRIEF)

    def is_ready(self) -> bool:
        """Ask once whether the service can take edits."""
        try:
            self._caller.answer(endpoints.READY, retries=NEVER)
        except ServiceError:
            return False
        return True

    def readiness(self) -> tuple[Check, ...]:
        """What the service needs and tried just now, well or not."""
        try:
            answer = self._caller.answer(endpoints.READY, retries=NEVER)
        except ServiceError as error:
            return endpoints.checks_of(error)
        return Endpoint(endpoints.READY, Readiness).read(answer).checks

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Edits:
    """`client.edits`: ask for edits and follow them."""

    def __init__(self, caller: Caller, *, sleep: Callable[[float], None]) -> None:
        self._caller = caller
        self._sleep = sleep

    def create(
        self, request: EditRequest | Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> EditView:
        """Ask for an edit; a mapping is checked here as the service would check it, and raises
        the same `InvalidRequestError`.

        A key that was used before gives back the edit made then.
        """
        return _answer(self._caller, endpoints.create_edit(request, idempotency_key))

    def estimate(self, request: EditRequest | Mapping[str, Any]) -> EditEstimate:
        """Whether an edit would fit and what it would take; makes none."""
        return _answer(self._caller, endpoints.estimate_edit(request))

    def get(self, edit_id: str, *, wait_s: int = 0) -> EditView:
        """An edit as it stands, or as it stands when it is done within `wait_s` seconds."""
        return _answer(self._caller, endpoints.get_edit(edit_id, wait_s=wait_s))

    def cancel(self, edit_id: str) -> EditView:
        """Stop an edit, waiting or running: it is canceled, or canceling, from now on.

        Raises `ConflictError` when it has ended otherwise.
        """
        return _canceled(self._caller, endpoints.cancel_edit(edit_id), endpoints.get_edit(edit_id))

    def retry(self, edit_id: str, *, idempotency_key: str | None = None) -> EditView:
        """Ask anew for an edit that failed or was canceled; raises `ConflictError` for others."""
        return _answer(self._caller, endpoints.retry_edit(edit_id, idempotency_key))

    def list(
        self,
        *,
        model: str | None = None,
        status: EditStatus | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        neurons: bool = True,
    ) -> EditPage:
        """A page of edits, newest first; without `neurons` it comes much faster."""
        ask = endpoints.list_edits(
            model=model, status=status, limit=limit, cursor=cursor, neurons=neurons
        )
        return _answer(self._caller, ask)

    def follow(self, edit_id: str, *, every_s: int = 20) -> Iterator[EditView]:
        """The edit at least every `every_s` seconds; the last one is final."""
        while True:
            view = self.get(edit_id, wait_s=every_s)
            yield view
            if view.status.is_final:
                return
            self._sleep(PAUSE_S)

    def wait(self, edit_id: str, *, timeout_s: float | None = None) -> EditView:
        """The edit once it is final; raises `WaitTimeoutError` after `timeout_s` seconds."""
        patience = Polling(edit_id, timeout_s)
        while True:
            view = self.get(edit_id, wait_s=patience.poll_s())
            if view.status.is_final:
                return view
            patience.check()
            self._sleep(PAUSE_S)

    def events(self, edit_id: str, *, after: str | None = None) -> Iterator[EditEvent]:
        """Each event as it happens, past ones first, up to the final one; a feed that breaks off
        is taken up again. `after` is the `id` of an event: only what came after it."""
        yield from _heard(self._caller, endpoints.edit_path(edit_id), after)

    def history(self, edit_id: str) -> tuple[EditEvent, ...]:
        """What happened to an edit so far, oldest first, at most 1000 events."""
        return _answer(self._caller, endpoints.list_events(endpoints.edit_path(edit_id))).items


class Checkpoints:
    """`client.checkpoints`: what finished edits published, and several of them in one."""

    def __init__(self, caller: Caller, *, sleep: Callable[[float], None]) -> None:
        self._caller = caller
        self._sleep = sleep

    def get(self, checkpoint_id: str) -> CheckpointView:
        """A published checkpoint; raises `CheckpointNotFoundError` and, for a composition that
        has none yet, `UnexpectedAnswerError`."""
        return _answer(self._caller, endpoints.get_checkpoint(checkpoint_id))

    def look(self, checkpoint_id: str, *, wait_s: int = 0) -> CheckpointView | CompositionView:
        """A checkpoint, or a composition as it stands, or as it stands when it is done within
        `wait_s` seconds."""
        return _answer(self._caller, endpoints.follow_checkpoint(checkpoint_id, wait_s=wait_s)).root

    def list(
        self, *, limit: int | None = None, cursor: str | None = None, neurons: bool = True
    ) -> CheckpointPage:
        """A page of checkpoints, newest first; without `neurons` it comes much faster."""
        return _answer(
            self._caller, endpoints.list_checkpoints(limit=limit, cursor=cursor, neurons=neurons)
        )

    def compose(
        self,
        edits: Sequence[str],
        *,
        idempotency_key: str | None = None,
        **others: Unpack[endpoints.Composing],
    ) -> CheckpointView | CompositionView:
        """Put finished edits into one checkpoint; to undo one of them, compose the others."""
        ask = endpoints.compose(edits, idempotency_key, others)
        return _answer(self._caller, ask).root

    def follow(
        self, checkpoint_id: str, *, every_s: int = 20
    ) -> Iterator[CheckpointView | CompositionView]:
        """A composition at least every `every_s` seconds; the last one is final."""
        while True:
            seen = self.look(checkpoint_id, wait_s=every_s)
            yield seen
            if seen.status.is_final:
                return
            self._sleep(PAUSE_S)

    def wait(
        self, checkpoint_id: str, *, timeout_s: float | None = None
    ) -> CheckpointView | CompositionView:
        """A composition once it is final: its checkpoint, or how it failed; raises
        `WaitTimeoutError`."""
        patience = Polling(checkpoint_id, timeout_s)
        while True:
            seen = self.look(checkpoint_id, wait_s=patience.poll_s())
            if seen.status.is_final:
                return seen
            patience.check()
            self._sleep(PAUSE_S)

    def cancel(self, checkpoint_id: str) -> CheckpointView | CompositionView:
        """Stop a composition, as `edits.cancel` does an edit."""
        cancel = endpoints.cancel_checkpoint(checkpoint_id)
        return _canceled(self._caller, cancel, endpoints.follow_checkpoint(checkpoint_id)).root

    def events(self, checkpoint_id: str, *, after: str | None = None) -> Iterator[EditEvent]:
        """What happens to a composition, as `edits.events` tells of an edit."""
        yield from _heard(self._caller, endpoints.checkpoint_path(checkpoint_id), after)

    def history(self, checkpoint_id: str) -> tuple[EditEvent, ...]:
        """What happened to a composition so far, oldest first, at most 1000 events."""
        ask = endpoints.list_events(endpoints.checkpoint_path(checkpoint_id))
        return _answer(self._caller, ask).items

    def delete(self, checkpoint_id: str) -> None:
        """Take a checkpoint away; raises `CheckpointInUseError` while another is built on it."""
        self._caller.answer(endpoints.delete_checkpoint(checkpoint_id))

    def download(self, checkpoint_id: str, directory: Path | str) -> CheckpointView:
        """Bring every file of a checkpoint into `directory`, each checked by its SHA-256."""
        checkpoint = self.get(checkpoint_id)
        download(self._caller, checkpoint, Path(directory))
        return checkpoint


def _answer(caller: Caller, ask: Endpoint[View]) -> View:
    return ask.read(caller.answer(ask.call))


def _canceled(caller: Caller, cancel: Endpoint[View], look: Endpoint[View]) -> View:
    try:
        return _answer(caller, cancel)
    except ConflictError as error:
        if not endpoints.is_canceled(error):
            raise
        return _answer(caller, look)


def _heard(caller: Caller, path: str, after: str | None) -> Iterator[EditEvent]:
    feed = Feed(path, after=after)
    for line in caller.lines(feed):
        event = feed.hear(line)
        if event is not None:
            yield event
