"""The life of a worker's process, around a fake engine."""

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_editor import FakeEditor, FakeMemory
from run_edits import Submit, found

from contract.ledger.ledger import Ledger
from contract.settings import Settings
from contract.wire.lifecycle import EditStatus
from worker.attempt.failures import SERVICE_CODES
from worker.service import serve


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(kind) for kind in kinds]
    yield
    for kind, handler in zip(kinds, before, strict=True):
        signal.signal(kind, handler)


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    return Settings(redis_url=redis_url, data_dir=tmp_path)


def told_to_stop_after(n_edits: int) -> FakeEditor:
    """Its process is told to stop in the middle of that edit; probes count."""
    editor = FakeEditor()

    def during() -> None:
        if len(editor.edited) == n_edits:
            os.kill(os.getpid(), signal.SIGTERM)

    editor.during = during
    return editor


def served(settings: Settings, editor: FakeEditor) -> int:
    return serve(settings, editor, model="demo", memory=FakeMemory(), codes=SERVICE_CODES)


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name.startswith("worker.")]


def test_a_worker_recalls_starts_probes_works_and_stops(
    settings: Settings, submit: Submit, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    edit_id, waiting = submit(), submit()

    status = served(settings, told_to_stop_after(4))

    assert status == 0
    assert events(caplog) == [
        "ledger_restored",
        "worker_started",
        "memory_calibrated",
        "edit_started",
        "edit_succeeded",
        "worker_stopped",
    ]
    assert found(ledger, edit_id).status is EditStatus.SUCCEEDED
    assert found(ledger, waiting).status is EditStatus.QUEUED
    assert (ledger.presence.has_model("demo"), ledger.presence.workers()) == (True, ())


def test_the_next_worker_calibrates_by_what_the_one_before_it_found(
    settings: Settings, submit: Submit, caplog: pytest.LogCaptureFixture
) -> None:
    submit()
    served(settings, told_to_stop_after(4))
    caplog.set_level(logging.INFO)
    caplog.clear()
    submit()

    served(settings, told_to_stop_after(1))

    assert events(caplog)[:2] == ["worker_started", "calibration_kept"]


def test_a_worker_that_is_not_to_probe_begins_with_the_first_edit(
    settings: Settings, submit: Submit
) -> None:
    submit()
    editor = told_to_stop_after(1)

    served(settings.model_copy(update={"probes": False}), editor)

    assert len(editor.edited) == 1
