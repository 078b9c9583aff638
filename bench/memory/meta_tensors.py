"""Models of any size without their values: shapes, dtypes and storages are true, and nothing is
computed, so that a small machine shows what the engine's own code allocates at 7B.

The tensors are those of torch's `meta` device; where the CPU would use another kernel than these
tensors do, the CPU's is used.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
import transformers
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.generation.stopping_criteria import MaxLengthCriteria
from transformers.generation.utils import GenerationMixin

from bench.tokenizers.characters import Characters
from worker.kn.model.resident import Resident

ASCII = 131  # tokens: the characters, and three special ones
SOME_COUNT = 64
SOME_ID = 5
CPU = torch.device("cpu")


@contextmanager
def without_values() -> Iterator[None]:
    """Within the block tensors have no values: those that code asks for are made up, and generated
    text ends at its greatest length."""
    transformers.logging.set_verbosity_error()  # it warns about made-up token ids
    Tensor.tolist = _made_up_list  # type: ignore[method-assign, assignment]
    try:
        with torch.device("meta"), _AsOnCpu(), torch.random.fork_rng(), _endless():
            yield
    finally:
        del Tensor.tolist


class _AsOnCpu(TorchFunctionMode):
    """Attention uses the CPU's kernel, which keeps no matrix of scores."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.nn.functional.scaled_dot_product_attention:
            return _attention(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """The CPU's kernel shares keys between heads by itself, so `enable_gqa` is ignored."""
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return kernel(query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale)[0]


@contextmanager
def _endless() -> Iterator[None]:
    """Generation goes on up to its greatest length."""
    long_enough = False

    def whether_long_enough(self: Any, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        nonlocal long_enough
        long_enough = input_ids.shape[1] >= self.max_length
        return torch.full(input_ids.shape[:1], long_enough)

    def goes_on(self: Any, finished: Any, *_: Any, **__: Any) -> bool:
        return finished is False or not long_enough  # False: it has just begun

    with (
        patch.object(MaxLengthCriteria, "__call__", whether_long_enough),
        patch.object(GenerationMixin, "_has_unfinished_sequences", goes_on),
    ):
        yield


def resident_of(config: Mapping[str, Any], dtype: torch.dtype) -> Resident:
    """A model by its `config.json`; within `without_values` it has none, else random ones."""
    kind = config["model_type"]
    others = {name: value for name, value in config.items() if name != "model_type"}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **others), dtype=dtype)
    return Resident.of(model, Characters(ASCII))


class Answering(TorchDispatchMode):
    """Makes up the values that code asks for: booleans are true, masks select everything."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        aten, kwargs = torch.ops.aten, kwargs or {}
        if func is aten._local_scalar_dense.default:
            return _made_up(args[0].dtype)
        if func is aten.equal.default:
            return False
        if func is aten.index.Tensor and _is_mask(args[1][0]):
            (mask,) = args[1]
            everywhere = [torch.zeros(mask.numel(), dtype=torch.int64)] * mask.dim()
            return aten.index.Tensor(args[0], everywhere)
        if func is aten._to_copy.default and kwargs.get("device") == CPU:
            return _to_cpu(args[0], kwargs)
        return func(*args, **kwargs)


def _to_cpu(tensor: Tensor, options: Mapping[str, Any]) -> Any:
    """A copy to the CPU is no copy on the CPU, unless the dtype changes."""
    others = {name: value for name, value in options.items() if name != "device"}
    if others.get("dtype") in (None, tensor.dtype):
        return torch.ops.aten.alias.default(tensor)
    return torch.ops.aten._to_copy.default(tensor, **others)


def _is_mask(index: Tensor | None) -> bool:
    return index is not None and index.dtype is torch.bool


def _made_up(dtype: torch.dtype) -> bool | int | float:
    if dtype is torch.bool:
        return True
    return 1.0 if dtype.is_floating_point else SOME_COUNT


def _made_up_list(tensor: Tensor) -> Any:
    """A list of the tensor's shape; one of a single dimension counts up from 0."""
    if tensor.dim() == 1:
        return list(range(len(tensor)))
    return [_ids(tensor.shape[1:]) for _ in range(tensor.shape[0])]


def _ids(shape: Any) -> Any:
    return [_ids(shape[1:]) for _ in range(shape[0])] if shape else SOME_ID
