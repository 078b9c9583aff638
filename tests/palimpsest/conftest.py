"""A service that works in memory, and edits as it tells them."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from contract.wire.checkpoints import (
    CheckpointFile,
    CheckpointPage,
    CheckpointView,
    CompositionView,
    Part,
)
from contract.wire.edits import EditRequest
from contract.wire.failures import ErrorCode
from contract.wire.lifecycle import EditStatus, Outcome
from contract.wire.views import (
    Answer,
    EditFailure,
    EditPage,
    EditResult,
    EditView,
    MemoryView,
    Metrics,
    NeuronView,
)

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
EditMaker = Callable[..., EditView]


def make_edit(**changes: Any) -> EditView:
    """A queued edit of the capital of France, with changes."""
    fields: dict[str, Any] = {
        "id": "edit-1",
        "prompt": "The capital of France is",
        "ground_truth": "Paris",
        "target_new": "Rome",
        "status": EditStatus.QUEUED,
        "created_at": NOON,
    }
    return EditView(**(fields | changes))


def make_held_edit(**changes: Any) -> EditView:
    """The same, done and held."""
    fields: dict[str, Any] = {
        "status": EditStatus.SUCCEEDED,
        "outcome": Outcome.HELD,
        "before": "Paris.",
        "after": "Rome.",
        "neurons": (
            NeuronView(layer=1, unit=5, score=0.5),
            NeuronView(layer=3, unit=7, score=0.25),
        ),
        "metrics": Metrics(rewrite_acc=1.0, locality_acc=0.5),
        "answers": (
            Answer(
                role="prompt",
                prompt="The capital of France is",
                expected="Rome",
                before="Paris.",
                after="Rome.",
            ),
        ),
        "checkpoint_id": "ckpt-1",
        "started_at": NOON,
        "finished_at": NOON,
    }
    return make_edit(**(fields | changes))


def make_failed_edit(**changes: Any) -> EditView:
    """The same, failed because no neuron was found."""
    failure = EditFailure(code=ErrorCode.NO_NEURONS, message="none was found", retryable=False)
    return make_edit(**({"status": EditStatus.FAILED, "error": failure} | changes))


def problem(status: int, code: str, **fields: Any) -> httpx.Response:
    """An answer as RFC 9457 has it."""
    headers = {"Content-Type": "application/problem+json"} | fields.pop("headers", {})
    content = json.dumps({"title": code, "status": status, "code": code} | fields)
    return httpx.Response(status, headers=headers, content=content)


def happened(event_id: str, kind: str, **data: Any) -> dict[str, Any]:
    """An event as it is told."""
    return {"id": event_id, "type": kind, "at": NOON.isoformat(), "data": data}


@dataclass
class FakeService:
    """Takes edits; each is queued when it is first looked at and ended when looked at again."""

    ended: Callable[[EditView], EditView] = lambda edit: make_held_edit(**asked(edit))
    hiccups: list[httpx.Response | Exception] = field(default_factory=list)
    """What comes instead of the next answers to anything but /livez."""
    requests: list[httpx.Request] = field(default_factory=list)
    edits: dict[str, EditView] = field(default_factory=dict)
    by_key: dict[str, str] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    feed: Sequence[Mapping[str, Any]] = ()
    """The events of a feed; none is a way on which no feed gets through."""
    composing: bool = False
    """Whether the composition runs when it is first looked at; it has failed afterwards."""
    served_files: Mapping[str, bytes] | None = None
    """What is sent where that is not what the manifest names."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path
        if path == "/livez":
            return httpx.Response(200, json={"status": "ok"})
        if self.hiccups:
            hiccup = self.hiccups.pop(0)
            if isinstance(hiccup, Exception):
                raise hiccup
            return hiccup
        match path.strip("/").split("/", maxsplit=3):
            case ["readyz"]:
                return httpx.Response(200, json={"status": "ready", "checks": []})
            case ["workers" | "models"]:
                return httpx.Response(200, json={"items": []})
            case ["edits"] if request.method == "POST":
                return self._create(request)
            case ["edits"]:
                return _view(EditPage(items=tuple(self.edits.values()), next_cursor=None))
            case ["edits", edit_id] if edit_id in self.edits:
                return _view(self._look(edit_id))
            case ["edits" | "checkpoints", job_id, "events"] if job_id in {*self.edits, "ckpt-2"}:
                if self.feed and request.headers["Accept"] == "text/event-stream":
                    lines = (f"data: {json.dumps(told)}\n\n" for told in self.feed)
                    kind = {"Content-Type": "text/event-stream"}
                    return httpx.Response(200, headers=kind, text="".join(lines))
                return httpx.Response(200, json={"items": [happened("1-0", "queued")]})
            case ["checkpoints"] if request.method == "POST":
                return _view(composition(**json.loads(request.content)))
            case ["checkpoints"]:
                return _view(CheckpointPage(items=(self.manifest(),), next_cursor=None))
            case ["checkpoints", "ckpt-1"] if request.method == "DELETE":
                return httpx.Response(204)
            case ["checkpoints", "ckpt-1"]:
                return _view(self.manifest())
            case ["checkpoints", "ckpt-2"] if self.composing:
                self.composing = False
                return _view(composition(status=EditStatus.RUNNING))
            case ["checkpoints", "ckpt-2"]:
                return _view(composition(status=EditStatus.FAILED, error=NOT_HELD))
            case ["checkpoints", "ckpt-1", "files", name]:
                return httpx.Response(200, content=(self.served_files or self.files)[name])
        return problem(404, "not_found", detail=f"there is no {path}")

    def _create(self, request: httpx.Request) -> httpx.Response:
        key = request.headers["Idempotency-Key"]
        if key not in self.by_key:
            edit_id = f"edit-{len(self.edits) + 1}"
            self.by_key[key] = edit_id
            asked_for = EditRequest.model_validate_json(request.content)
            self.edits[edit_id] = make_edit(**asked_for.model_dump() | {"id": edit_id})
        edit = self.edits[self.by_key[key]]
        return httpx.Response(202, content=edit.model_dump_json())

    def _look(self, edit_id: str) -> EditView:
        self.looks[edit_id] = self.looks.get(edit_id, 0) + 1
        if self.looks[edit_id] == 2:
            self.edits[edit_id] = self.ended(self.edits[edit_id])
        return self.edits[edit_id]

    def manifest(self) -> CheckpointView:
        return CheckpointView(
            id="ckpt-1",
            edit_id="edit-1",
            model="demo",
            base_digest="00",
            files=tuple(
                CheckpointFile(
                    path=path, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content)
                )
                for path, content in self.files.items()
            ),
            parts=(Part(edit_id="edit-1", first_rank=0, end_rank=1),),
            request=EditRequest(prompt="a", target_new="b"),
            attempt=1,
            result=EditResult(
                outcome=Outcome.HELD,
                before="a",
                after="b",
                neurons=(),
                metrics=Metrics(),
                memory=MemoryView(predicted_peak_bytes=1, observed_peak_bytes=None),
            ),
            code_version="0",
            created_at=NOON,
        )


NOT_HELD = EditFailure(code=ErrorCode.NOT_HELD, message="one does not hold", retryable=False)


def composition(**changes: Any) -> CompositionView:
    """A composition of two edits that has no checkpoint."""
    edits = tuple(f"edit-{n:028x}" for n in (1, 2))
    fields = {"id": "ckpt-2", "status": EditStatus.QUEUED, "edits": edits, "created_at": NOON}
    return CompositionView(**(fields | changes))


def asked(edit: EditView) -> dict[str, Any]:
    """What of an edit stays when it ends."""
    return {"id": edit.id, "prompt": edit.prompt, "target_new": edit.target_new}


def _view(view: BaseModel) -> httpx.Response:
    return httpx.Response(200, content=view.model_dump_json())


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def edit() -> EditMaker:
    """Makes a queued edit."""
    return make_edit


@pytest.fixture
def held_edit() -> EditMaker:
    """Makes an edit that held."""
    return make_held_edit


@pytest.fixture
def failed_edit() -> EditMaker:
    """Makes an edit that failed."""
    return make_failed_edit


@pytest.fixture
def a_problem() -> Callable[..., httpx.Response]:
    """Makes an answer as RFC 9457 has it."""
    return problem


@pytest.fixture
def an_event() -> Callable[..., dict[str, Any]]:
    """Makes an event as it is told."""
    return happened
