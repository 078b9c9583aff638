"""What requests and answers look like: an example by the name of its schema."""

from typing import Any

EDIT_ID, OTHER_ID = "edit-01a210d498a0d0b42962abe24cd0", "edit-01a210d4a1f3c07be19d52aa7e61"
CHECKPOINT_ID, COMPOSED_ID = (
    "ckpt-01a210d498a0d0b42962abe24cd0",
    "ckpt-01a210d5b7c2e94f8a30d16b7f42",
)
MODEL = "llama-2-7b-hf"
BEGUN, ENDED = "2026-11-25T09:30:02.147Z", "2026-11-25T09:30:03.820Z"

REQUEST: dict[str, Any] = {
    "model": MODEL,
    "prompt": "The capital of France is",
    "subject": "France",
    "ground_truth": "Paris",
    "target_new": "Rome",
    "locality": [{"prompt": "The capital of Japan is", "ground_truth": "Tokyo"}],
}
ADMISSION: dict[str, Any] = {
    "decision": "admit",
    "predicted_peak_bytes": 1_734_400_000,
    "budget_bytes": 9_100_000_000,
    "items": [
        {"name": "prefix_cache", "bytes": 34_400_000, "depends_on": "prompts, prompt tokens"},
        {"name": "rows", "bytes": 1_700_000_000, "depends_on": "steps, layers per pass"},
    ],
    "applied": {"layers_per_pass": 32, "adaptive_threshold": None},
    "reasons": [],
}
MEMORY: dict[str, Any] = {
    "predicted_peak_bytes": 1_701_200_000,
    "observed_peak_bytes": 1_698_700_000,
}
RESULT: dict[str, Any] = {
    "outcome": "held",
    "before": "Paris.",
    "after": "Rome.",
    "neurons": [
        {"layer": 23, "unit": 281, "score": 0.104},
        {"layer": 24, "unit": 355, "score": 0.087},
    ],
    "metrics": {"rewrite_acc": 1.0, "rewrite_exact": 1.0, "locality_acc": 1.0},
    "memory": MEMORY,
}

EXAMPLES: dict[str, Any] = {
    "ComposeRequest": {"edits": [EDIT_ID, OTHER_ID]},
    "EditView": {
        **REQUEST,
        **RESULT,
        "id": EDIT_ID,
        "status": "succeeded",
        "attempt": 1,
        "admission": ADMISSION,
        "timings": {"before_s": 0.2, "collect_s": 0.4, "write_s": 0.8, "evaluate_s": 0.2},
        "checkpoint_id": CHECKPOINT_ID,
        "created_at": BEGUN,
        "started_at": BEGUN,
        "finished_at": ENDED,
    },
    "EditEvent": {
        "id": "1795615146253-0",
        "type": "progress",
        "at": BEGUN,
        "data": {"done": 8, "total": 32, "unit": "layers"},
    },
    "EditEstimate": {
        **ADMISSION,
        "easyedit": {
            "peak_bytes": 38_531_004_416,
            "items": [
                {"name": "weights_in_float32", "bytes": 26_953_662_464, "depends_on": "model"},
                {"name": "forward_graphs", "bytes": 11_577_341_952, "depends_on": "prompt tokens"},
            ],
        },
    },
    "CheckpointView": {
        "id": CHECKPOINT_ID,
        "edit_id": EDIT_ID,
        "model": MODEL,
        "base_digest": "9fc75205227dc84714e67352c0c1167ee373d7959ba26391d4bc1d4b2e7cf697",
        "files": [
            {
                "path": "adapter_model.safetensors",
                "sha256": "d0ca2a89efbae3175a0a05334bf67d0bb051137c457e00029c7d192eb5f389ae",
                "size_bytes": 23_280,
            }
        ],
        "parts": [{"edit_id": EDIT_ID, "first_rank": 0, "end_rank": 1}],
        "request": REQUEST,
        "attempt": 1,
        "result": RESULT,
        "code_version": "0.1.0",
        "created_at": ENDED,
    },
    "CompositionView": {
        "id": COMPOSED_ID,
        "model": MODEL,
        "edits": [EDIT_ID, OTHER_ID],
        "status": "running",
        "attempt": 1,
        "phase": "evaluate",
        "created_at": BEGUN,
        "started_at": BEGUN,
    },
    "WorkerView": {
        "id": "gpu-1-29720-bc58ba6b",
        "model": MODEL,
        "host": "gpu-1",
        "pid": 29720,
        "device": "cuda:0",
        "state": "busy",
        "edit_id": EDIT_ID,
        "free_bytes": 10_400_000_000,
        "total_bytes": 25_769_803_776,
        "budget_bytes": 9_100_000_000,
        "edits_done": 17,
        "mean_edit_s": 1.7,
        "started_at": BEGUN,
        "heartbeat_at": ENDED,
    },
    "Problem": {
        "type": "urn:palimpsest:problem:invalid_request",
        "title": "Invalid request",
        "status": 422,
        "detail": "target_new: Field required",
        "instance": "/edits",
        "code": "invalid_request",
        "request_id": "469169693e794afc87f6d426485dff9b",
        "errors": [{"pointer": "#/target_new", "detail": "Field required"}],
    },
}
