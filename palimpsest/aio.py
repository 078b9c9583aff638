"""The same client for asynchronous programs: `async with AsyncClient(url) as client: …`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
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
from palimpsest.transport.async_calls import AsyncCaller
from palimpsest.transport.async_download import download
from palimpsest.transport.connection import (
    check_url,
    headers_of,
    is_loopback,
    usable_environment,
)
from palimpsest.transport.endpoints import Check, Endpoint, Readiness
from palimpsest.transport.feed import Feed
from palimpsest.transport.polling import PAUSE_S, Polling
from palimpsest.transport.retries import BRIEF, NEVER, Retries

View = TypeVar("View", bound=BaseModel)


class AsyncClient:
    """`palimpsest.client.Client`, of which every method is awaited."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
        retries: Retries | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        check_url(base_url)
        headers = headers_of(api_key)
        with usable_environment():
            direct = httpx.AsyncHTTPTransport() if is_loopback(base_url) else None
            self._http = httpx.AsyncClient(
                base_url=base_url, headers=headers, transport=transport or direct
            )
        policy = Retries() if retries is None else retries
        self._caller = AsyncCaller(self._http, timeout_s=timeout_s, retries=policy, sleep=sleep)
        self.edits = AsyncEdits(self._caller, sleep=sleep)
        self.checkpoints = AsyncCheckpoints(self._caller, sleep=sleep)

    async def models(self) -> tuple[ModelView, ...]:
        """The models that are, or were, served."""
        return (await _answer(self._caller, endpoints.MODELS)).items

    async def workers(self) -> tuple[WorkerView, ...]:
        """The workers that are alive."""
        return (await _answer(self._caller, endpoints.WORKERS)).items

    async def limits(self) -> Limits:
        """How much may be asked for, and how long things are kept."""
        return await _answer(self._caller, endpoints.LIMITS)

    async def check_alive(self) -> None:
        """Raise `UnreachableError` soon, in about a second, if no service is there."""
        await self._caller.answer(endpoints.ALIVE, retries=BRIEF)

    async def is_ready(self) -> bool:
        """Ask once whether the service can take edits."""
        try:
            await self._caller.answer(endpoints.READY, retries=NEVER)
        except ServiceError:
            return False
        return True

    async def readiness(self) -> tuple[Check, ...]:
        """What the service needs and tried just now, well or not."""
        try:
            answer = await self._caller.answer(endpoints.READY, retries=NEVER)
        except ServiceError as error:
            return endpoints.checks_of(error)
        return Endpoint(endpoints.READY, Readiness).read(answer).checks

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class AsyncEdits:
    """`client.edits`: ask for edits and follow them."""

    def __init__(self, caller: AsyncCaller, *, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._caller = caller
        self._sleep = sleep

    async def create(
        self, request: EditRequest | Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> EditView:
        """Ask for an edit; a mapping is checked here as the service would check it.

        A key that was used before gives back the edit made then.
        """
        return await _answer(self._caller, endpoints.create_edit(request, idempotency_key))

    async def estimate(self, request: EditRequest | Mapping[str, Any]) -> EditEstimate:
        """Whether an edit would fit and what it would take; makes none."""
        return await _answer(self._caller, endpoints.estimate_edit(request))

    async def get(self, edit_id: str, *, wait_s: int = 0) -> EditView:
        """An edit as it stands, or as it stands when it is done within `wait_s` seconds."""
        return await _answer(self._caller, endpoints.get_edit(edit_id, wait_s=wait_s))

    async def cancel(self, edit_id: str) -> EditView:
        """Stop an edit, waiting or running: it is canceled, or canceling, from now on.

        Raises `ConflictError` when it has ended otherwise.
        """
        return await _canceled(
            self._caller, endpoints.cancel_edit(edit_id), endpoints.get_edit(edit_id)
        )

    async def retry(self, edit_id: str, *, idempotency_key: str | None = None) -> EditView:
        """Ask anew for an edit that failed or was canceled; raises `ConflictError` for others."""
        return await _answer(self._caller, endpoints.retry_edit(edit_id, idempotency_key))

    async def list(
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
        return await _answer(self._caller, ask)

    async def follow(self, edit_id: str, *, every_s: int = 20) -> AsyncIterator[EditView]:
        """The edit at least every `every_s` seconds; the last one is final."""
        while True:
            view = await self.get(edit_id, wait_s=every_s)
            yield view
            if view.status.is_final:
                return
            await self._sleep(PAUSE_S)

    async def wait(self, edit_id: str, *, timeout_s: float | None = None) -> EditView:
        """The edit once it is final; raises `WaitTimeoutError` after `timeout_s` seconds."""
        patience = Polling(edit_id, timeout_s)
        while True:
            view = await self.get(edit_id, wait_s=patience.poll_s())
            if view.status.is_final:
                return view
            patience.check()
            await self._sleep(PAUSE_S)

    async def events(self, edit_id: str, *, after: str | None = None) -> AsyncIterator[EditEvent]:
        """Each event as it happens, past ones first, up to the final one; a feed that breaks off
        is taken up again. `after` is the `id` of an event: only what came after it."""
        async with aclosing(_heard(self._caller, endpoints.edit_path(edit_id), after)) as events:
            async for event in events:
                yield event

    async def history(self, edit_id: str) -> tuple[EditEvent, ...]:
        """What happened to an edit so far, oldest first, at most 1000 events."""
        return (
            await _answer(self._caller, endpoints.list_events(endpoints.edit_path(edit_id)))
        ).items


class AsyncCheckpoints:
    """`client.checkpoints`: what finished edits published, and several of them in one."""

    def __init__(self, caller: AsyncCaller, *, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._caller = caller
        self._sleep = sleep

    async def get(self, checkpoint_id: str) -> CheckpointView:
        """A published checkpoint; raises `CheckpointNotFoundError` and, for a composition that
        has none yet, `UnexpectedAnswerError`."""
        return await _answer(self._caller, endpoints.get_checkpoint(checkpoint_id))

    async def look(
        self, checkpoint_id: str, *, wait_s: int = 0
    ) -> CheckpointView | CompositionView:
        """A checkpoint, or a composition as it stands, or as it stands when it is done within
        `wait_s` seconds."""
        ask = endpoints.follow_checkpoint(checkpoint_id, wait_s=wait_s)
        return (await _answer(self._caller, ask)).root

    async def list(
        self, *, limit: int | None = None, cursor: str | None = None, neurons: bool = True
    ) -> CheckpointPage:
        """A page of checkpoints, newest first; without `neurons` it comes much faster."""
        return await _answer(
            self._caller, endpoints.list_checkpoints(limit=limit, cursor=cursor, neurons=neurons)
        )

    async def compose(
        self,
        edits: Sequence[str],
        *,
        idempotency_key: str | None = None,
        **others: Unpack[endpoints.Composing],
    ) -> CheckpointView | CompositionView:
        """Put finished edits into one checkpoint; to undo one of them, compose the others."""
        ask = endpoints.compose(edits, idempotency_key, others)
        return (await _answer(self._caller, ask)).root

    async def follow(
        self, checkpoint_id: str, *, every_s: int = 20
    ) -> AsyncIterator[CheckpointView | CompositionView]:
        """A composition at least every `every_s` seconds; the last one is final."""
        while True:
            seen = await self.look(checkpoint_id, wait_s=every_s)
            yield seen
            if seen.status.is_final:
                return
            await self._sleep(PAUSE_S)

    async def wait(
        self, checkpoint_id: str, *, timeout_s: float | None = None
    ) -> CheckpointView | CompositionView:
        """A composition once it is final: its checkpoint, or how it failed; raises
        `WaitTimeoutError`."""
        patience = Polling(checkpoint_id, timeout_s)
        while True:
            seen = await self.look(checkpoint_id, wait_s=patience.poll_s())
            if seen.status.is_final:
                return seen
            patience.check()
            await self._sleep(PAUSE_S)

    async def cancel(self, checkpoint_id: str) -> CheckpointView | CompositionView:
        """Stop a composition, as `edits.cancel` does an edit."""
        cancel = endpoints.cancel_checkpoint(checkpoint_id)
        look = endpoints.follow_checkpoint(checkpoint_id)
        return (await _canceled(self._caller, cancel, look)).root

    async def events(
        self, checkpoint_id: str, *, after: str | None = None
    ) -> AsyncIterator[EditEvent]:
        """What happens to a composition, as `edits.events` tells of an edit."""
        path = endpoints.checkpoint_path(checkpoint_id)
        async with aclosing(_heard(self._caller, path, after)) as events:
            async for event in events:
                yield event

    async def history(self, checkpoint_id: str) -> tuple[EditEvent, ...]:
        """What happened to a composition so far, oldest first, at most 1000 events."""
        ask = endpoints.list_events(endpoints.checkpoint_path(checkpoint_id))
        return (await _answer(self._caller, ask)).items

    async def delete(self, checkpoint_id: str) -> None:
        """Take a checkpoint away; raises `CheckpointInUseError` while another is built on it."""
        await self._caller.answer(endpoints.delete_checkpoint(checkpoint_id))

    async def download(self, checkpoint_id: str, directory: Path | str) -> CheckpointView:
        """Bring every file of a checkpoint into `directory`, each checked by its SHA-256."""
        checkpoint = await self.get(checkpoint_id)
        await download(self._caller, checkpoint, Path(directory))
        return checkpoint


async def _answer(caller: AsyncCaller, ask: Endpoint[View]) -> View:
    return ask.read(await caller.answer(ask.call))


async def _canceled(caller: AsyncCaller, cancel: Endpoint[View], look: Endpoint[View]) -> View:
    try:
        return await _answer(caller, cancel)
    except ConflictError as error:
        if not endpoints.is_canceled(error):
            raise
        return await _answer(caller, look)


async def _heard(
    caller: AsyncCaller, path: str, after: str | None
) -> AsyncGenerator[EditEvent, None]:
    feed = Feed(path, after=after)
    async with aclosing(caller.lines(feed)) as lines:
        async for line in lines:
            event = feed.hear(line)
            if event is not None:
                yield event
