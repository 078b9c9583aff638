"""The service as Python objects: `with Client("http://127.0.0.1:8000") as client: …`."""

import math
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from contract.checkpoints import CheckpointView
from contract.edits import EditRequest
from contract.lifecycle import EditStatus
from contract.views import (
    EditEvent,
    EditPage,
    EditView,
    EventList,
    ModelList,
    ModelView,
    WorkerList,
    WorkerView,
)
from palimpsest.calls import Call, Caller
from palimpsest.download import download
from palimpsest.errors import ConflictError, ServiceError, UnexpectedAnswerError, WaitTimeoutError
from palimpsest.retries import BRIEF, NEVER, Retries

LONGEST_POLL_S = 20
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
View = TypeVar("View", bound=BaseModel)


class Client:
    """One service. Calls are tried again after 429, 503 and broken connections, which is safe:
    each edit is sent with an idempotency key."""

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
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else None,
            transport=transport or _direct(base_url),
        )
        policy = Retries() if retries is None else retries
        self._caller = Caller(self._http, timeout_s=timeout_s, retries=policy, sleep=sleep)
        self.edits = Edits(self._caller, sleep=sleep)
        self.checkpoints = Checkpoints(self._caller)

    def models(self) -> tuple[ModelView, ...]:
        """The models that are, or were, served."""
        return _parse(ModelList, self._caller.answer(Call("GET", "/models"))).items

    def workers(self) -> tuple[WorkerView, ...]:
        """The workers that are alive."""
        return _parse(WorkerList, self._caller.answer(Call("GET", "/workers"))).items

    def check_alive(self) -> None:
        """Raise `UnreachableError` soon, in about a second, if no service is there."""
        self._caller.answer(Call("GET", "/livez"), retries=BRIEF)

    def is_ready(self) -> bool:
        """Ask once whether the service can take edits."""
        try:
            self._caller.answer(Call("GET", "/readyz"), retries=NEVER)
        except ServiceError:
            return False
        return True

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
        """Ask for an edit; a mapping is checked here as the service would check it.

        A key that was used before gives back the edit made then.
        """
        request = EditRequest.model_validate(request)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key or secrets.token_hex(16),
        }
        content = request.model_dump_json(exclude_unset=True)
        call = Call("POST", "/edits", headers=headers, content=content)
        return _parse(EditView, self._caller.answer(call))

    def get(self, edit_id: str, *, wait_s: int = 0) -> EditView:
        """An edit as it stands, or as it stands when it is done within `wait_s` seconds."""
        params = {"wait": wait_s} if wait_s else {}
        call = Call(
            "GET", f"/edits/{quote(edit_id, safe='')}", params=params, extra_timeout_s=wait_s
        )
        return _parse(EditView, self._caller.answer(call))

    def cancel(self, edit_id: str) -> EditView:
        """Stop an edit, waiting or running: it is canceled, or canceling, from now on.

        Raises `ConflictError` when it has ended otherwise.
        """
        try:
            call = Call("POST", f"/edits/{quote(edit_id, safe='')}/cancel")
            return _parse(EditView, self._caller.answer(call))
        except ConflictError as error:
            if error.members.get("edit_status") != EditStatus.CANCELED:
                raise
            return self.get(edit_id)  # an earlier call did it, whose answer was lost

    def retry(self, edit_id: str, *, idempotency_key: str | None = None) -> EditView:
        """Ask anew for an edit that failed or was canceled; raises `ConflictError` for others."""
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        call = Call("POST", f"/edits/{quote(edit_id, safe='')}/retry", headers=headers)
        return _parse(EditView, self._caller.answer(call))

    def list(
        self,
        *,
        model: str | None = None,
        status: EditStatus | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> EditPage:
        """A page of edits, newest first."""
        asked = {"model": model, "status": status, "limit": limit, "cursor": cursor}
        params = {name: value for name, value in asked.items() if value is not None}
        return _parse(EditPage, self._caller.answer(Call("GET", "/edits", params=params)))

    def follow(self, edit_id: str, *, every_s: int = LONGEST_POLL_S) -> Iterator[EditView]:
        """The edit at least every `every_s` seconds; the last one is final."""
        while True:
            view = self.get(edit_id, wait_s=every_s)
            yield view
            if view.status.is_final:
                return
            self._sleep(0.1)  # were the service not to hold its answer back, this spares it

    def wait(self, edit_id: str, *, timeout_s: float | None = None) -> EditView:
        """The edit once it is final; raises `WaitTimeoutError` after `timeout_s` seconds."""
        deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = max(deadline - time.monotonic(), 0)
            view = self.get(edit_id, wait_s=math.ceil(min(left_s, LONGEST_POLL_S)))
            if view.status.is_final:
                return view
            if left_s == 0:
                raise WaitTimeoutError(edit_id, timeout_s=timeout_s or 0)
            self._sleep(0.1)

    def events(self, edit_id: str) -> tuple[EditEvent, ...]:
        """What happened to an edit so far, oldest first."""
        headers = {"Accept": "application/json"}
        call = Call("GET", f"/edits/{quote(edit_id, safe='')}/events", headers=headers)
        return _parse(EventList, self._caller.answer(call)).items


class Checkpoints:
    """`client.checkpoints`: what finished edits published."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def get(self, checkpoint_id: str) -> CheckpointView:
        """A checkpoint's manifest."""
        answer = self._caller.answer(Call("GET", f"/checkpoints/{quote(checkpoint_id, safe='')}"))
        return _parse(CheckpointView, answer)

    def download(self, checkpoint_id: str, directory: Path | str) -> CheckpointView:
        """Bring every file of a checkpoint into `directory`, each checked by its SHA-256."""
        checkpoint = self.get(checkpoint_id)
        download(self._caller, checkpoint, Path(directory))
        return checkpoint


def _direct(base_url: str) -> httpx.BaseTransport | None:
    """No proxy of the environment can reach this machine's loopback."""
    return httpx.HTTPTransport() if httpx.URL(base_url).host in LOOPBACK else None


def _parse(view: type[View], response: httpx.Response) -> View:
    """What a newer service adds is passed over; anything else that does not fit is an error."""
    try:
        return view.model_validate_json(response.content, extra="ignore")
    except ValidationError as error:
        raise UnexpectedAnswerError(
            str(response.url), status=response.status_code, body=response.text[:200]
        ) from error
