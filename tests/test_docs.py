"""The documents say what is."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from math import inf
from pathlib import Path

import pytest
import yaml

from app.exposition import Family, labels
from app.metrics import Figures, families
from app.readiness import Check
from contract.ledger.census import Census
from contract.ledger.tally import Buckets, Edited, Quantity, Taken
from contract.settings import Settings, variable_of
from contract.wire.events import EVENTS, WARNINGS, EventType, WarningCode
from contract.wire.lifecycle import EditStatus
from contract.wire.serving import WorkerState, WorkerView
from contract.wire.views import MemoryView

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bench/*.md")]


def test_every_setting_is_documented_with_its_default_and_meaning() -> None:
    documented = (ROOT / "docs/operators.md").read_text()

    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "") else f"`{field.default}`"
        assert f"| `{variable_of(name)}` | {default} | {field.description} |" in documented, name


def test_no_setting_is_documented_that_is_not_there() -> None:
    known = set(map(variable_of, Settings.model_fields))
    of_the_command_line = {"PALIMPSEST_URL", "PALIMPSEST_API_KEY"}

    for document in DOCUMENTS:
        named = set(re.findall(r"PALIMPSEST_[A-Z_]+[A-Z]", document.read_text()))
        assert named <= known | of_the_command_line, document.name


def _families() -> dict[str, Family]:
    worker = WorkerView(
        id="w",
        model="m",
        host="h",
        pid=1,
        device="cpu",
        state=WorkerState.IDLE,
        free_bytes=1,
        total_bytes=1,
        budget_bytes=1,
        mean_edit_s=1.0,
        started_at=datetime(2026, 1, 2, tzinfo=UTC),
        heartbeat_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    edited = Edited("m", "paper")
    figures = Figures(
        censuses={"m": Census({EditStatus.QUEUED: 1}, 0.0)},
        tally={quantity: {edited: Buckets({inf: 1}, 1.0)} for quantity in Quantity},
        latest=[Taken("edit-1", edited, MemoryView(predicted_peak_bytes=1, observed_peak_bytes=1))],
        workers=[worker],
        checks=[Check(name="redis", ok=True, detail="")],
        requests={labels(method="GET", status="200"): 1.0},
        request_seconds={labels(method="GET", status="200"): 1.0},
    )
    return {family.name: family for family in families(figures, now_s=1.0)}


def test_every_metric_is_documented_with_its_labels_and_meaning() -> None:
    documented = (ROOT / "docs/operators.md").read_text()

    for name, family in _families().items():
        (named,) = family.samples
        told = ", ".join(f"`{label}`" for label, _ in named)
        assert f"| `{name}` | {told} | {family.meaning} |" in documented, name


@pytest.mark.parametrize("meanings", [EVENTS, WARNINGS], ids=["events", "warnings"])
def test_every_event_and_warning_is_documented_with_its_meaning(
    meanings: Mapping[StrEnum, str],
) -> None:
    documented = (ROOT / "docs/operators.md").read_text()

    for name, meaning in meanings.items():
        assert f"| `{name}` | {meaning} |" in documented, name


def test_every_event_that_a_script_writes_and_every_type_has_a_meaning() -> None:
    scripts = (ROOT / "contract/ledger/scripts.py").read_text()
    written = set(re.findall(r"'type', '(\w+)'", scripts))

    assert written == {"started", "worker_lost"}
    assert written <= set(EVENTS)
    assert set(EVENTS) == set(EventType)


def test_every_warning_that_the_engine_gives_has_a_meaning() -> None:
    verdict = (ROOT / "worker/kn/evaluate/verdict.py").read_text()
    given = set(re.findall(r"EditWarning\(\s*\"(\w+)\"", verdict))

    assert given == set(WarningCode) == set(WARNINGS)


def test_the_alerts_ask_for_metrics_and_labels_that_are_there() -> None:
    rules = yaml.safe_load((ROOT / "docker/alerts.yml").read_text())
    known = _families()

    for rule in rules["groups"][0]["rules"]:
        asked = re.findall(r"(palimpsest_\w+)(?:\{(\w+))?", rule["expr"])
        assert asked, rule["alert"]
        for name, label in asked:
            (named,) = known[name].samples
            assert not label or label in dict(named), rule["alert"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_architecture_fits_on_two_screens() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 100
