"""The events of an edit or a composition as they happen, over connections that may break."""

import httpx
from pydantic import ValidationError

from contract.wire.events import LAST_EVENTS
from contract.wire.views import EditEvent
from palimpsest.errors import UnexpectedAnswerError
from palimpsest.transport.calls import Call
from palimpsest.transport.endpoints import EVENT_STREAM, event_feed

DATA = "data:"


class Feed:
    """How far an edit or a composition was listened to: where to go on, and whether anything can
    still come."""

    def __init__(self, path: str, *, after: str | None = None) -> None:
        self._path = path
        self._heard = after
        self._is_over = False

    def call(self) -> Call | None:
        """What to ask for now, past all that was heard; None once the last event was."""
        return None if self._is_over else event_feed(self._path, after=self._heard)

    def opened(self, response: httpx.Response) -> None:
        """204 says that nothing follows what was heard."""
        self._is_over = response.status_code == httpx.codes.NO_CONTENT
        kind = response.headers.get("Content-Type", "")
        if not self._is_over and not kind.startswith(EVENT_STREAM):
            raise _unexpected(response.url.path, kind)

    def hear(self, line: str) -> EditEvent | None:
        """The event that a line tells; each stands whole in its one `data` line."""
        if not line.startswith(DATA):
            return None
        try:
            event = EditEvent.model_validate_json(line.removeprefix(DATA), extra="ignore")
        except ValidationError as error:
            raise _unexpected(f"{self._path}/events", line) from error
        self._heard, self._is_over = event.id, event.type in LAST_EVENTS
        return event


def _unexpected(path: str, seen: str) -> UnexpectedAnswerError:
    return UnexpectedAnswerError(path, status=httpx.codes.OK, body=seen[:200])
