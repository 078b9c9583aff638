"""An edit as a LoRA adapter: what is written, exactly as PEFT will merge it."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from safetensors.torch import load, save
from torch import Tensor
from torch.nn.functional import pad

from worker.kn.collect.neuron import Neuron
from worker.kn.errors import NonFiniteError

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
_A_OF_LAYER = re.compile(r"base_model\.model\.model\.layers\.(\d+)\.mlp\.down_proj\.lora_A\.weight")


@dataclass(frozen=True, slots=True, eq=False)
class LayerWrite:
    """ΔW[:, units] = B · A for one block's down_proj."""

    layer: int
    units: tuple[int, ...]
    A: Tensor  # (r, len(units))
    B: Tensor  # (d_model, r)

    def filled(self, rank: int) -> "LayerWrite":
        """The same, padded with zero ranks."""
        missing = rank - len(self.A)
        A, B = pad(self.A, (0, 0, 0, missing)), pad(self.B, (0, missing))
        return replace(self, A=A, B=B)

    def spread(self, d_ff: int) -> Tensor:
        """A over all units of the layer, (r, d_ff), zero at those that are not written."""
        whole = self.A.new_zeros(len(self.A), d_ff)
        whole[:, list(self.units)] = self.A
        return whole


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """The writes of an edit, on the CPU in the adapter's dtype, all of one rank.

    The edited model *is* what PEFT's default merge on the CPU makes of base and adapter:
    W + B·A, multiplied and summed in float32 (or the base's dtype if wider) and rounded once.
    """

    writes: tuple[LayerWrite, ...]
    d_ff: int
    n_padding: int = 0
    """So many of the ranks, the last ones, are zeros: they change nothing."""

    @classmethod
    def of(cls, writes: Iterable[LayerWrite], *, d_ff: int, dtype: torch.dtype) -> "Adapter":
        """Round the writes to what PEFT keeps; raises `NonFiniteError`."""
        kept = tuple(sorted(writes, key=lambda write: write.layer))
        rank = max((write.A.shape[0] for write in kept), default=1)
        if dtype is torch.float64:  # PEFT creates its matrices in float32 at most
            dtype = torch.float32
        adapter = cls(tuple(_settled(write, dtype).filled(rank) for write in kept), d_ff)
        if not all(torch.isfinite(adapter.delta(write)).all() for write in adapter.writes):
            raise NonFiniteError("the edit")
        return adapter

    def delta(self, write: LayerWrite, dtype: torch.dtype = torch.float32) -> Tensor:
        """The change of a write's columns, (d_model, len(units)), multiplied in `dtype` on the CPU.

        A sum of several products depends on their order, which a matrix product chooses by its
        shape: from rank 2 on, the product is taken in the shape that PEFT takes it in.
        """
        B = write.B.to(dtype)
        if self.rank == 1:
            return B @ write.A.to(dtype)
        return (B @ write.spread(self.d_ff).to(dtype))[:, list(write.units)]

    @property
    def rank(self) -> int:
        return self.writes[0].A.shape[0]

    @property
    def own_rank(self) -> int:
        """The rank without the zeros that fill it up."""
        return self.rank - self.n_padding

    @property
    def neurons(self) -> frozenset[Neuron]:
        return frozenset(Neuron(w.layer, unit) for w in self.writes for unit in w.units)

    def files(self, base_model: str) -> dict[str, bytes]:
        """The two files that PEFT, vLLM and llama.cpp's converter read."""
        config = _config(base_model, rank=self.rank, layers=[w.layer for w in self.writes])
        return {
            CONFIG_FILE: (json.dumps(config, indent=2) + "\n").encode(),
            WEIGHTS_FILE: save(self._tensors(), {"format": "pt"}),
        }

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> "Adapter":
        """The adapter that `files` wrote; a unit whose A is all zero is none that it writes."""
        tensors = load(files[WEIGHTS_FILE])
        layers = {int(m[1]): name for name in tensors if (m := _A_OF_LAYER.fullmatch(name))}
        writes = []
        for layer, name in sorted(layers.items()):
            spread = tensors[name]
            units = spread.any(dim=0).nonzero().flatten().tolist()
            B = tensors[name.replace("lora_A", "lora_B")]
            writes.append(LayerWrite(layer, tuple(units), spread[:, units], B))
        return cls(tuple(writes), d_ff=spread.shape[1], n_padding=_n_padding(writes))

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {}
        for write in self.writes:
            name = f"base_model.model.model.layers.{write.layer}.mlp.down_proj"
            tensors[f"{name}.lora_A.weight"] = write.spread(self.d_ff)
            tensors[f"{name}.lora_B.weight"] = write.B.contiguous()
        return tensors


def _n_padding(writes: Sequence[LayerWrite]) -> int:
    """How many of the last ranks are zeros in all layers; one rank at least is no padding."""
    used = torch.stack([w.A.any(dim=1) | w.B.any(dim=0) for w in writes]).any(dim=0)  # (r,)
    last = used.nonzero().flatten()
    return len(used) - max(int(last[-1]) + 1 if len(last) else 0, 1)


def _settled(write: LayerWrite, dtype: torch.dtype) -> LayerWrite:
    """The write on the CPU in `dtype`."""
    A, B = _balanced(write.A.detach().cpu(), write.B.detach().cpu(), dtype)
    return LayerWrite(write.layer, write.units, A.to(dtype), B.to(dtype))


def _balanced(A: Tensor, B: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """A (r, k) and B (d_model, r) with the largest entries of each rank's two vectors alike, so
    that neither leaves float16's range; by a power of two, which changes no product.

    What the dtype holds as it is, such as an erase's columns, stays as it is.
    """
    if all(torch.equal(whole.to(dtype).to(whole.dtype), whole) for whole in (A, B)):
        return A, B
    A, B = A.double(), B.double()
    tiny = torch.finfo(torch.float64).tiny
    ratio = B.abs().amax(0).clamp_min(tiny) / A.abs().amax(1).clamp_min(tiny)  # (r,)
    scale = torch.exp2((ratio.log2() / 2).round().nan_to_num(posinf=0.0))
    return A * scale[:, None], B / scale


def _config(base_model: str, *, rank: int, layers: list[int]) -> dict[str, object]:
    """`lora_alpha` equals `r`: PEFT and vLLM both scale by their ratio."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": ["down_proj"],
        "layers_to_transform": layers,
        "fan_in_fan_out": False,
        "use_rslora": False,
        "use_dora": False,
        "inference_mode": True,
    }
