"""Edits that a worker measures at its start."""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from fake_editor import GIB, FakeEditor, FakeMemory, FakeResult
from tiny_models import FAMILIES, Letters

from contract.admission.calibration import Probing
from worker.attempt.failures import SERVICE_CODES, engine_codes
from worker.attempt.time_limit import time_limit
from worker.kn import Editor, Resident
from worker.memory.monitor import Monitor
from worker.memory.probing import TRIALS, probe

CODES = {**SERVICE_CODES, **engine_codes()}


def probed(editor: Any, **changes: Any) -> Probing:
    usual: dict[str, Any] = {"budget_bytes": lambda: GIB, "limit": nullcontext, "codes": CODES}
    return probe(editor, **usual | changes)


ROOMY = [name for name in FAMILIES if "window" not in name]
"""A window of 40 letters has no room for the long prompt; real models have 4096 and more."""


@pytest.fixture(params=ROOMY)
def editor(request: pytest.FixtureRequest) -> Editor:
    torch.manual_seed(0)
    resident = Resident.of(FAMILIES[request.param](), Letters())
    return Editor(resident, reference_prompts=["a sea", "of words"])


def test_the_engine_is_measured_and_its_weights_stay(editor: Editor) -> None:
    before = editor.fingerprint()

    found = probed(editor)

    assert editor.fingerprint() == before
    assert found.error is None
    assert len({(p.method, p.prompt_tokens, p.layers_per_pass) for p in found.probes}) == 3
    assert all(p.observed_bytes > 0 and p.ratio <= 1.01 for p in found.probes)
    assert 1.0 <= found.calibration.factor < 1.2


@dataclass
class Hungry(FakeEditor):
    """Takes half as much again as it predicts."""

    def edit(self, request: Mapping[str, Any], **given: Any) -> Any:
        made = super().edit(request, **given)
        told = made.as_json() | {"memory": memory_of(len(self.edited))}

        class Told(FakeResult):
            def as_json(self) -> dict[str, Any]:
                return told

        return Told(self.outcome)


def memory_of(n: int) -> dict[str, int]:
    return {"predicted_peak_bytes": 1000 * n, "observed_peak_bytes": 1500 * n}


def test_what_takes_more_than_is_predicted_gets_a_smaller_budget() -> None:
    memory = FakeMemory(free_bytes=GIB)
    monitor = Monitor(memory, weights_bytes=0, cap_bytes=None)
    before = monitor.look()

    monitor.calibrate(probed(Hungry()))

    after = monitor.look()
    assert after.probing.calibration.factor == 1.5
    assert after.budget_bytes == monitor.room_bytes() == int(before.budget_bytes / 1.5)
    assert after.capacity_bytes == int(before.capacity_bytes / 1.5)


def broken(error: Exception) -> Callable[..., Any]:
    def edit(*told: Any, **given: Any) -> Any:
        raise error

    return edit


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError("none left"), "gpu_oom: none left"),
        (RuntimeError("shapes differ"), "internal: shapes differ"),
    ],
)
def test_a_probe_that_fails_is_reported_and_calibrates_nothing(error: Exception, told: str) -> None:
    editor = FakeEditor()
    editor.edit = broken(error)  # type: ignore[method-assign]

    assert probed(editor) == Probing(error=told)


def test_an_engine_that_measures_nothing_calibrates_nothing(editor: Editor) -> None:
    unmeasured = Editor(
        editor.resident, reference_prompts=["a sea", "of words"], measure_memory=False
    )

    found = probed(unmeasured)

    assert (found.probes, found.calibration) == ((), None)
    assert "does not measure" in found.error


def test_probes_have_an_end() -> None:
    slow = FakeEditor(pause_s=0.4)
    begun = time.monotonic()

    found = probed(slow, limit=partial(time_limit, 1, None))

    assert found.error.startswith("timeout:")
    assert time.monotonic() - begun < len(TRIALS) * 8 * 0.4
