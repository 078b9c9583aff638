"""An adapter as vLLM reads it: what it refuses, what it passes over, and what it computes."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from safetensors.torch import load
from torch import Tensor

MAX_LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
TARGETS = frozenset(
    {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"}
)
NAME = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")


class RefusedError(Exception):
    """vLLM would not load it."""


@dataclass(frozen=True)
class Served:
    """The matrices that vLLM multiplies with, by module; all else of the config is dropped."""

    scaling: float
    pairs: Mapping[str, tuple[Tensor, Tensor]]

    def delta(self, module: str) -> Tensor:
        A, B = self.pairs[module]
        return self.scaling * (B.double() @ A.double())


def read(files: Mapping[str, bytes], *, max_lora_rank: int) -> Served:
    """Load an adapter into slots of one rank; raises `RefusedError`."""
    if max_lora_rank not in MAX_LORA_RANKS:
        raise RefusedError(f"no --max-lora-rank is {max_lora_rank}")
    config = json.loads(files["adapter_config.json"])
    rank = config["r"]
    if rank > max_lora_rank:
        raise RefusedError(f"rank {rank} is above {max_lora_rank}")
    if (
        config.get("bias", "none") != "none"
        or config.get("use_dora")
        or config.get("modules_to_save")
    ):
        raise RefusedError("only plain matrices are served")
    scaling = config["lora_alpha"] / (rank**0.5 if config.get("use_rslora") else rank)
    return Served(scaling, _pairs(load(files["adapter_model.safetensors"]), rank, max_lora_rank))


def _pairs(
    tensors: Mapping[str, Tensor], rank: int, max_lora_rank: int
) -> dict[str, tuple[Tensor, Tensor]]:
    sides: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        match = NAME.fullmatch(name)
        if match is None or match["module"].rsplit(".", 1)[1] not in TARGETS:
            raise RefusedError(f"what is {name}?")
        sides.setdefault(match["module"], {})[match["side"]] = tensor
    # One rank for all: `rank_pattern` is not read, so a matrix of another rank is cut or padded.
    for module, pair in sides.items():
        if len(pair["A"]) != rank or pair["B"].shape[1] != rank:
            raise RefusedError(f"{module} has not the rank that the config says")
    room = max_lora_rank - rank
    return {
        module: (
            torch.nn.functional.pad(pair["A"], (0, 0, 0, room)),
            torch.nn.functional.pad(pair["B"], (0, room)),
        )
        for module, pair in sides.items()
    }
