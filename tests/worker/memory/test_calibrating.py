"""Budgets are calibrated by probes, once in the same circumstances."""

import pytest
from fake_editor import FakeEditor, FakeMemory
from redis import Redis

from contract.admission.calibration import Calibration
from contract.ledger.probings import Probings
from worker.attempt.engine import Engine
from worker.attempt.failures import SERVICE_CODES
from worker.memory.calibrating import calibrate
from worker.memory.probing import TRIALS
from worker.presence.fitness import TaintedWeightsError


def engine_of(editor: FakeEditor, memory: FakeMemory | None = None) -> Engine:
    return Engine.of(editor, memory or FakeMemory(), cap_bytes=None, codes=SERVICE_CODES)


def calibrated(redis: Redis, editor: FakeEditor, *, host: str = "here") -> Engine:
    engine = engine_of(editor)
    calibrate(engine, host=host, kept=Probings(redis))
    return engine


def test_what_was_found_on_this_machine_is_not_measured_again(redis: Redis) -> None:
    first, second = FakeEditor(), FakeEditor()

    found, kept = (calibrated(redis, editor).monitor.look().probing for editor in (first, second))

    assert (len(first.edited), len(second.edited)) == (len(TRIALS), 0)
    assert found == kept
    assert isinstance(kept.calibration, Calibration)


def test_another_machine_measures_for_itself(redis: Redis) -> None:
    editor = FakeEditor()
    calibrated(redis, FakeEditor())

    calibrated(redis, editor, host="there")

    assert len(editor.edited) == len(TRIALS)


def test_probes_that_failed_are_made_again_by_the_next_worker(redis: Redis) -> None:
    def run_out() -> None:
        raise MemoryError

    editor = FakeEditor()
    failed = calibrated(redis, FakeEditor(during=run_out))

    calibrated(redis, editor)

    assert failed.monitor.look().probing.error is not None
    assert len(editor.edited) == len(TRIALS)


def test_memory_that_probes_took_is_let_go(redis: Redis) -> None:
    memory = FakeMemory()

    calibrate(engine_of(FakeEditor(), memory), host="here", kept=Probings(redis))

    assert memory.released == 1


def test_weights_that_a_probe_changed_are_found(redis: Redis) -> None:
    editor = FakeEditor()

    def change() -> None:
        editor.weights = "changed"

    editor.during = change

    with pytest.raises(TaintedWeightsError):
        calibrated(redis, editor)
