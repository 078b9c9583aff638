import io
import json
import logging
from collections.abc import Iterator

import pytest

from contract import logs
from contract.logs import EventLog


@pytest.fixture(autouse=True)
def _root_as_it_was() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_an_event_is_one_line_of_json_with_its_facts() -> None:
    stream = io.StringIO()
    logs.configure("INFO", stream=stream)

    EventLog("worker.test").info("edit_started", edit_id="edit-1", attempt=2)

    told = json.loads(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
    assert told.pop("at").endswith("Z")
    assert told == {
        "level": "info",
        "logger": "worker.test",
        "event": "edit_started",
        "edit_id": "edit-1",
        "attempt": 2,
    }


def test_a_librarys_exception_stays_on_its_line() -> None:
    stream = io.StringIO()
    logs.configure("INFO", stream=stream)

    try:
        raise ValueError("spam")
    except ValueError:
        logging.getLogger("library").exception("it %s", "broke")

    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert told["event"] == "it broke"
    assert told["traceback"].endswith("ValueError: spam")


def test_what_is_below_the_level_is_not_told() -> None:
    stream = io.StringIO()
    logs.configure("WARNING", stream=stream)

    EventLog("worker.test").info("edit_started")

    assert stream.getvalue() == ""
