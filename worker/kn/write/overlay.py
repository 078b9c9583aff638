"""The edited columns themselves, for readers that only copy them into place."""

import torch
from safetensors.torch import save
from torch import Tensor

from worker.kn.model.resident import Resident
from worker.kn.write.adapter import Adapter
from worker.kn.write.weights import edited_columns

OVERLAY_FILE = "edited_columns.safetensors"


def overlay_of(resident: Resident, adapter: Adapter) -> bytes:
    """What PEFT's merge makes of the columns that an adapter writes, in the model's dtype.

    For each edited weight W (d_model, d_ff), under its name in the model: `W`, its k columns as
    rows (k, d_model), and `W.units`, their k places, int32. The resident weights must be pristine;
    raises `NoChangeError` and `NonFiniteError`.
    """
    after = edited_columns(resident, adapter)
    tensors: dict[str, Tensor] = {}
    for write in adapter.writes:
        name = resident.layout.down_weight_name(write.layer)
        tensors[name] = after[write.layer].cpu().t().contiguous()
        tensors[f"{name}.units"] = torch.tensor(write.units, dtype=torch.int32)
    content: bytes = save(tensors, {"format": "pt"})
    return content
