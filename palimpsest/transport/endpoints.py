"""What can be asked of the service: each as the call that is sent and the view that comes back.

The clients, the waiting one and the asynchronous one, differ in how they send, and in nothing else.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, RootModel, ValidationError

from contract.wire.checkpoints import CheckpointPage, CheckpointView, CompositionView
from contract.wire.composition import ComposeRequest
from contract.wire.edits import EditRequest
from contract.wire.estimates import EditEstimate
from contract.wire.lifecycle import EditStatus
from contract.wire.limits import Limits
from contract.wire.serving import ModelList, WorkerList
from contract.wire.views import EditPage, EditView, EventList
from palimpsest.errors import ConflictError, ServiceError
from palimpsest.problems import invalid_request, unexpected
from palimpsest.transport.calls import Call

View = TypeVar("View", bound=BaseModel)
EVENT_STREAM = "text/event-stream"
FEED_PAUSE_S = 10
"""The longest that a feed of events says nothing."""


class SeenCheckpoint(RootModel[CheckpointView | CompositionView]):
    """A checkpoint, or the composition that is to become one."""


class Check(BaseModel):
    """One thing that the service needs, tried by it."""

    name: str
    ok: bool
    required: bool = True
    detail: str


class Readiness(BaseModel):
    """What the service tried."""

    checks: tuple[Check, ...]


def checks_of(error: ServiceError) -> tuple[Check, ...]:
    """What a service that is not ready tried; raises the error where it does not tell."""
    try:
        return Readiness.model_validate(error.members).checks
    except ValidationError:
        raise error from None


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[View]):
    """A call, and what its good answer is read as."""

    call: Call
    view: type[View]

    def read(self, response: httpx.Response) -> View:
        """What a newer service adds is passed over; anything else that does not fit is an error."""
        try:
            return self.view.model_validate_json(response.content, extra="ignore")
        except ValidationError as error:
            raise unexpected(response) from error


ALIVE = Call("GET", "/livez")
READY = Call("GET", "/readyz")
MODELS = Endpoint(Call("GET", "/models"), ModelList)
WORKERS = Endpoint(Call("GET", "/workers"), WorkerList)
LIMITS = Endpoint(Call("GET", "/limits"), Limits)


def create_edit(request: EditRequest | Mapping[str, Any], key: str | None) -> Endpoint[EditView]:
    return Endpoint(_post("/edits", _checked(EditRequest, request), key), EditView)


def estimate_edit(request: EditRequest | Mapping[str, Any]) -> Endpoint[EditEstimate]:
    return Endpoint(_post("/edits:estimate", _checked(EditRequest, request), None), EditEstimate)


def _checked(kind: type[View], request: View | Mapping[str, Any]) -> View:
    """The request as the service would check it; raises the `InvalidRequestError` that it would
    answer with."""
    try:
        return kind.model_validate(request)
    except ValidationError as error:
        raise invalid_request(error) from error


def edit_path(edit_id: str) -> str:
    return f"/edits/{_part(edit_id)}"


def checkpoint_path(checkpoint_id: str) -> str:
    return f"/checkpoints/{_part(checkpoint_id)}"


def get_edit(edit_id: str, *, wait_s: int = 0) -> Endpoint[EditView]:
    return Endpoint(_get(edit_path(edit_id), wait_s=wait_s), EditView)


def cancel_edit(edit_id: str) -> Endpoint[EditView]:
    return Endpoint(Call("POST", f"{edit_path(edit_id)}/cancel"), EditView)


def retry_edit(edit_id: str, key: str | None) -> Endpoint[EditView]:
    headers = {"Idempotency-Key": key or secrets.token_hex(16)}
    return Endpoint(Call("POST", f"{edit_path(edit_id)}/retry", headers=headers), EditView)


def list_edits(
    *,
    model: str | None,
    status: EditStatus | None,
    limit: int | None,
    cursor: str | None,
    neurons: bool,
) -> Endpoint[EditPage]:
    params = _told(model=model, status=status, limit=limit, cursor=cursor, neurons=_unless(neurons))
    return Endpoint(Call("GET", "/edits", params=params), EditPage)


def list_events(path: str) -> Endpoint[EventList]:
    """What happened to the edit or the composition at `path`."""
    headers = {"Accept": "application/json"}
    return Endpoint(Call("GET", f"{path}/events", headers=headers), EventList)


def event_feed(path: str, *, after: str | None) -> Call:
    """The same as it happens."""
    resumed = {"Last-Event-ID": after} if after else {}
    headers = {"Accept": EVENT_STREAM, **resumed}
    return Call("GET", f"{path}/events", headers=headers, extra_timeout_s=FEED_PAUSE_S)


class Composing(TypedDict, total=False):
    """What a composition may say beside its edits, see `ComposeRequest`."""

    model: str | None
    require_held: bool
    pad_rank: int | None
    deadline_s: int | None
    metadata: dict[str, Any]


def compose(edits: Sequence[str], key: str | None, others: Composing) -> Endpoint[SeenCheckpoint]:
    request = _checked(ComposeRequest, {"edits": tuple(edits), **others})
    return Endpoint(_post("/checkpoints", request, key), SeenCheckpoint)


def get_checkpoint(checkpoint_id: str) -> Endpoint[CheckpointView]:
    return Endpoint(Call("GET", checkpoint_path(checkpoint_id)), CheckpointView)


def follow_checkpoint(checkpoint_id: str, *, wait_s: int = 0) -> Endpoint[SeenCheckpoint]:
    return Endpoint(_get(checkpoint_path(checkpoint_id), wait_s=wait_s), SeenCheckpoint)


def cancel_checkpoint(checkpoint_id: str) -> Endpoint[SeenCheckpoint]:
    return Endpoint(Call("POST", f"{checkpoint_path(checkpoint_id)}/cancel"), SeenCheckpoint)


def is_canceled(error: ConflictError) -> bool:
    """Whether a cancel found that one was there before it: its own, whose answer was lost."""
    return error.members.get("edit_status") == EditStatus.CANCELED


def list_checkpoints(
    *, limit: int | None, cursor: str | None, neurons: bool
) -> Endpoint[CheckpointPage]:
    params = _told(limit=limit, cursor=cursor, neurons=_unless(neurons))
    return Endpoint(Call("GET", "/checkpoints", params=params), CheckpointPage)


def delete_checkpoint(checkpoint_id: str) -> Call:
    return Call("DELETE", checkpoint_path(checkpoint_id))


def _get(path: str, *, wait_s: int) -> Call:
    return Call("GET", path, params={"wait": wait_s} if wait_s else {}, extra_timeout_s=wait_s)


def _post(path: str, request: BaseModel, key: str | None) -> Call:
    """Each is sent with a key, so that sending it twice makes one."""
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": key or secrets.token_hex(16),
    }
    content = request.model_dump_json(exclude_unset=True)
    return Call("POST", path, headers=headers, content=content)


def _part(name: str) -> str:
    return quote(name, safe="")


def _unless(told: bool) -> str | None:
    """A parameter that is true where it is not sent."""
    return None if told else "false"


def _told(**params: str | int | None) -> dict[str, str | int]:
    return {name: value for name, value in params.items() if value is not None}
