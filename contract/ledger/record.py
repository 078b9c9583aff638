"""The record of an edit: a Redis hash of plain text and JSON fields."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from contract.ledger.errors import UnknownRequestError, UnreadableRecordError
from contract.ledger.origin import Origin
from contract.times import rfc3339
from contract.wire.checkpoints import CompositionView
from contract.wire.composition import ComposeRequest, Composition
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission
from contract.wire.idempotency import Idempotency
from contract.wire.ids import CHECKPOINT_PREFIX, checkpoint_id_of
from contract.wire.lifecycle import EditStatus, QueuedReason
from contract.wire.views import EditResult, EditView, QueueView

Request = EditRequest | ComposeRequest
Result = EditResult | Composition


def request_of(job_id: str, raw: str | bytes) -> Request:
    """What a job is to do; one that makes a checkpoint of several edits has the checkpoint's id.

    Raises `UnknownRequestError`: a field that is passed over would make another edit of it.
    """
    kind = ComposeRequest if job_id.startswith(CHECKPOINT_PREFIX) else EditRequest
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        raise UnknownRequestError(job_id, places_of(error)) from error


def built_on_of(raw: str | bytes) -> frozenset[str]:
    """The checkpoints that a job is built on, whatever else a later version asks for in it."""
    asked = json.loads(raw)
    below = [*map(checkpoint_id_of, asked.get("edits") or ()), asked.get("base")]
    return frozenset(checkpoint_id for checkpoint_id in below if checkpoint_id)


def places_of(error: ValidationError) -> list[str]:
    """The fields that cannot be read, without what is in them."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [".".join(map(str, told["loc"])) or "all of it" for told in found]


def first_record(
    edit_id: str,
    request: Request,
    *,
    model: str,
    admission: Admission | None,
    origin: Origin,
    now_s: float,
    idempotency: Idempotency | None = None,
) -> dict[str, str]:
    """The fields of an edit, or of a composition, that has just been accepted."""
    came = {
        "request_id": origin.request_id,
        "retry_of": origin.retry_of or "",
        "admission": admission.model_dump_json() if admission else "",
        "idempotency": idempotency.as_json if idempotency else "",
    }
    return {name: value for name, value in came.items() if value} | {
        "id": edit_id,
        "model": model,
        "status": EditStatus.QUEUED.value,
        "attempt": "0",
        "request": request.model_dump_json(),
        "created_at": rfc3339(now_s),
    }


_TEXTS = ("phase", "checkpoint_id", "started_at", "finished_at", "request_id", "retry_of")


@dataclass(frozen=True, slots=True)
class EditRecord:
    """A record as it was read, all fields text; what is asked of it may raise
    `UnreadableRecordError`."""

    fields: Mapping[str, str]

    @classmethod
    def from_redis(cls, raw: Mapping[bytes, bytes]) -> "EditRecord":
        return cls({key.decode(): value.decode() for key, value in raw.items()})

    @property
    def id(self) -> str:
        return self.fields["id"]

    @property
    def model(self) -> str:
        return self.fields["model"]

    @property
    def status(self) -> EditStatus:
        with self._reading():
            return EditStatus(self.fields["status"])

    @property
    def attempt(self) -> int:
        with self._reading():
            return int(self.fields["attempt"])

    @property
    def queued_reason(self) -> QueuedReason | None:
        reason = self.fields.get("queued_reason")
        with self._reading():
            return QueuedReason(reason) if reason else None

    def left_s(self, now_s: float) -> float | None:
        """Seconds until the edit's deadline; None where it has none."""
        deadline_s = self.request.deadline_s
        if deadline_s is None:
            return None
        created_s = datetime.fromisoformat(self.fields["created_at"]).timestamp()
        return created_s + deadline_s - now_s

    @property
    def deferrals(self) -> int:
        """How often it was put back because it did not fit."""
        return int(self.fields.get("deferrals") or 0)

    @property
    def needed_bytes(self) -> int:
        """What it was found to take by an attempt that did not end; 0 where none found out."""
        return int(self.fields.get("needed_bytes") or 0)

    def may_wait(self, now_s: float, most_s: float) -> bool:
        """Whether it has waited for memory less than `most_s` seconds."""
        since = self.fields.get("deferred_since")
        return not since or now_s - datetime.fromisoformat(since).timestamp() < most_s

    @property
    def request_id(self) -> str:
        """The HTTP request that made the edit."""
        return self.fields.get("request_id", "")

    @property
    def idempotency(self) -> Idempotency | None:
        """By what it is found again, where a key came with it."""
        kept = self.fields.get("idempotency")
        return Idempotency.from_json(kept) if kept else None

    @property
    def has_hung(self) -> bool:
        """Whether an attempt at it hung past its time."""
        return bool(self.fields.get("hung"))

    @property
    def request(self) -> Request:
        return request_of(self.id, self.fields["request"])

    def view(
        self,
        *,
        queue: QueueView | None,
        queued_reason: QueuedReason | None,
        neurons: bool = True,
    ) -> EditView:
        """The edit as users see it, with its neurons or without; what a later version has written
        besides is passed over."""
        with self._reading():
            seen = self._seen(("admission", "progress", "error"), _TEXTS)
            result: dict[str, Any] = json.loads(self.fields.get("result", "{}"))
            seen |= {name: told for name, told in result.items() if neurons or name != "neurons"}
            seen |= {"queue": queue, "queued_reason": queued_reason}
            return EditView.model_validate(seen, extra="ignore")

    def composition_view(
        self, *, queue: QueueView | None, queued_reason: QueuedReason | None
    ) -> CompositionView:
        """The composition as users see it, as long as it has no checkpoint."""
        with self._reading():
            seen = self._seen(
                ("admission", "progress", "error"), ("phase", "started_at", "finished_at")
            )
            seen |= {"queue": queue, "queued_reason": queued_reason}
            return CompositionView.model_validate(seen, extra="ignore")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, KeyError) as error:
            places = places_of(error) if isinstance(error, ValidationError) else []
            reason = ", ".join(places) or type(error).__name__
            raise UnreadableRecordError(self.fields.get("id", ""), reason=reason) from error

    def _seen(self, values: Sequence[str], texts: Sequence[str]) -> dict[str, Any]:
        seen: dict[str, Any] = json.loads(self.fields["request"])
        seen |= {name: json.loads(self.fields[name]) for name in values if self.fields.get(name)}
        seen |= {name: self.fields.get(name) or None for name in texts}
        seen |= {name: self.fields[name] for name in ("id", "model", "status", "created_at")}
        return seen | {"attempt": self.attempt}
