"""Logs for machines: one JSON object a line, with an event name, its facts and the request."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from contract.record import rfc3339


class EventLog:
    """Tells events with their facts: `log.info("edit_accepted", edit_id=…)`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def info(self, event: str, /, **facts: Any) -> None:
        self._logger.info(event, extra={"facts": facts})

    def warning(self, event: str, /, **facts: Any) -> None:
        self._logger.warning(event, extra={"facts": facts})

    def exception(self, event: str, error: Exception, /, **facts: Any) -> None:
        """An error that nobody expected, with its traceback."""
        self._logger.error(event, exc_info=error, extra={"facts": facts})


class JsonLines(logging.Formatter):
    """Formats a record, ours or a library's, as one line of JSON."""

    def __init__(self, request_id: Callable[[], str]) -> None:
        super().__init__()
        self._request_id = request_id

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "at": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if request_id := self._request_id():
            told["request_id"] = request_id
        told |= getattr(record, "facts", {})
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def configure(level: str, *, request_id: Callable[[], str]) -> None:
    """Send every logger's records of `level` and above to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(request_id))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
