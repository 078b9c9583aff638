"""What an edit's bytes depend on besides the request and the base."""

import hashlib
import json
import platform
from collections.abc import Sequence
from typing import Any

import torch
import transformers

from worker.kn.methods.references import SAMPLING_SEED
from worker.kn.model.resident import Resident


def provenance_of(resident: Resident, references: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Device, dtype, software and references, under the service's names.

    On a CPU its instruction set and the number of threads decide in which order sums are taken.
    """
    return {
        "device": _device(resident.device),
        "dtype": str(resident.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "software": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "seed": SAMPLING_SEED,
        "references_sha256": hashlib.sha256(json.dumps(references).encode()).hexdigest(),
    }


def _device(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} {torch.backends.cpu.get_cpu_capability()}"
