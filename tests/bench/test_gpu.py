"""`bench/gpu.py` on the CPU, at a size where its times mean nothing."""

import torch

from bench.gpu import measured


def test_every_figure_but_easyedits_is_measured_on_the_cpu_too() -> None:
    rows, figures = measured(torch.device("cpu"), "float32", "tiny", None)

    assert len(rows) == 12  # six passes at 20 and at 200 prompt tokens
    assert all(row["floor_s"] > 0 for row in rows)
    assert figures["device"] == "cpu"
    assert figures["easyedit"] is None
    for prompt_tokens, collected in figures["collect"].items():
        floors = [row["floor_s"] for row in rows if row["prompt_tokens"] == int(prompt_tokens)]
        assert collected["floor_s"] == sum(floors)
        assert collected["times_floor"] == collected["seconds"] / collected["floor_s"]
        assert 0 < collected["peak_bytes"] <= collected["estimated_bytes"]
    assert figures["edit"]["adapter_bytes"] > 0
    assert set(figures["edit"]["timings"]) == {"before_s", "collect_s", "write_s", "evaluate_s"}
