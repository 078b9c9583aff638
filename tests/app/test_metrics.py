"""`/metrics`, as Prometheus reads it."""

import re
from collections.abc import Callable
from typing import Any

import httpx

from app.exposition import Family, Kind, exposition, labels
from app.guards.traffic import Traffic
from contract.wire.serving import ModelView


def samples(text: str) -> dict[str, float]:
    """Each sample with its labels, and its value."""
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def test_a_family_is_written_as_prometheus_has_it() -> None:
    family = Family("a_total", Kind.COUNTER, "How many.", {labels(model='x"\n\\'): 2.0, (): 1.5})

    assert exposition([family]) == (
        "# HELP a_total How many.\n"
        "# TYPE a_total counter\n"
        'a_total{model="x\\"\\n\\\\"} 2.0\n'
        "a_total 1.5\n"
    )


def test_methods_that_callers_make_up_are_one() -> None:
    traffic = Traffic()

    for method in ("GET", "GET", "BREW", "STIR"):
        traffic.note(method, 405, duration_s=0.5)

    assert traffic.requests == {
        labels(method="GET", status="405"): 2.0,
        labels(method="other", status="405"): 2.0,
    }
    assert traffic.seconds[labels(method="GET", status="405")] == 1.0


def test_edits_are_counted_by_where_they_stand(
    api: httpx.Client, served: ModelView, fact: dict[str, Any], finish: Callable[[str], None]
) -> None:
    done, waiting = (api.post("/edits", json=fact).json()["id"] for _ in range(2))
    finish(done)

    told = samples(api.get("/metrics").text)

    assert told['palimpsest_edits{model="demo",status="succeeded"}'] == 1
    assert told['palimpsest_edits{model="demo",status="queued"}'] == 1
    assert 0 <= told['palimpsest_oldest_queued_seconds{model="demo"}'] < 60
    assert waiting != done


def test_an_edit_tells_its_memory(
    api: httpx.Client, served: ModelView, fact: dict[str, Any], finish: Callable[[str], None]
) -> None:
    edit_id = api.post("/edits", json=fact).json()["id"]
    finish(edit_id)

    told = samples(api.get("/metrics").text)

    of_edit = f'{{model="demo",method="calibrated",edit="{edit_id}"}}'
    assert told[f"palimpsest_edit_predicted_bytes{of_edit}"] == 2000
    assert told[f"palimpsest_edit_observed_bytes{of_edit}"] == 1500
    assert told[f"palimpsest_edit_ratio{of_edit}"] == 0.75


def test_all_edits_are_counted_by_what_they_took(
    api: httpx.Client, served: ModelView, fact: dict[str, Any], finish: Callable[[str], None]
) -> None:
    for _ in range(3):
        finish(api.post("/edits", json=fact).json()["id"])

    told = samples(api.get("/metrics").text)

    by_method = 'model="demo",method="calibrated"'
    assert told[f'palimpsest_memory_ratio_bucket{{{by_method},le="0.5"}}'] == 0
    assert told[f'palimpsest_memory_ratio_bucket{{{by_method},le="0.75"}}'] == 3
    assert told[f'palimpsest_memory_ratio_bucket{{{by_method},le="+Inf"}}'] == 3
    assert told[f"palimpsest_memory_ratio_count{{{by_method}}}"] == 3
    assert told[f"palimpsest_memory_observed_bytes_sum{{{by_method}}}"] == 4500
    assert told[f'palimpsest_memory_predicted_bytes_bucket{{{by_method},le="1048576"}}'] == 3


def test_workers_and_checks_are_reported(api: httpx.Client, served: ModelView) -> None:
    told = samples(api.get("/metrics").text)

    assert told['palimpsest_workers{model="demo",state="idle"}'] == 1
    assert told['palimpsest_worker_budget_bytes{model="demo",worker="worker-1"}'] == 1e9
    assert told['palimpsest_worker_memory_tight{model="demo",worker="worker-1"}'] == 0
    assert told['palimpsest_ready{check="redis"}'] == 1


def test_requests_are_counted(api: httpx.Client) -> None:
    name = 'palimpsest_http_requests_total{method="GET",status="404"}'
    before = samples(api.get("/metrics").text).get(name, 0)

    api.get("/nowhere")

    assert samples(api.get("/metrics").text)[name] == before + 1


def test_every_family_has_its_help_and_type_once(api: httpx.Client, served: ModelView) -> None:
    text = api.get("/metrics").text

    helped = re.findall(r"^# HELP (\S+) \S", text, re.M)
    typed = re.findall(r"^# TYPE (\S+) (?:gauge|counter|histogram)$", text, re.M)
    assert helped == typed
    assert len(set(helped)) == len(helped)
    assert api.get("/metrics").headers["Content-Type"].startswith("text/plain; version=0.0.4")
