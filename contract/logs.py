"""Logs for machines: one JSON object a line, with an event name and its facts."""

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, TextIO

from contract.times import rfc3339


class EventLog:
    """Tells events with their facts: `log.info("edit_started", edit_id=…, attempt=1)`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def info(self, event: str, /, **facts: Any) -> None:
        self._tell(logging.INFO, event, facts)

    def warning(self, event: str, /, **facts: Any) -> None:
        self._tell(logging.WARNING, event, facts)

    def error(self, event: str, /, **facts: Any) -> None:
        self._tell(logging.ERROR, event, facts)

    def exception(self, event: str, error: Exception, /, **facts: Any) -> None:
        """An error that nobody expected, with its traceback."""
        self._tell(logging.ERROR, event, facts, error)

    def _tell(
        self, level: int, event: str, facts: dict[str, Any], error: Exception | None = None
    ) -> None:
        # As an argument, not in the text: an event's name stays one constant to search for.
        self._logger.log(level, event, exc_info=error, extra={"facts": facts})


_bound: ContextVar[Mapping[str, Any]] = ContextVar("bound", default=MappingProxyType({}))


@contextmanager
def bound(**facts: Any) -> Iterator[None]:
    """Every line that is logged meanwhile, by whomever in this thread, tells these facts too."""
    token = _bound.set({**_bound.get(), **facts})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonLines(logging.Formatter):
    """Formats a record, ours or a library's, as one line of JSON; `context` is asked for the facts
    that belong to every line, those that are bound unless told."""

    def __init__(self, context: Callable[[], Mapping[str, Any]] = _bound.get) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "at": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        told |= self._context()
        told |= getattr(record, "facts", {})
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def configure(
    level: str, *, lines: logging.Formatter | None = None, stream: TextIO | None = None
) -> None:
    """Send every logger's records of `level` and above to standard error as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(lines or JsonLines())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
