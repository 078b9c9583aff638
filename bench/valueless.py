"""Models of any size without their numbers: shapes, dtypes and storages are true, and nothing is
computed, so that the engine's own code tells on a small machine what it allocates at 7B."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import transformers
import transformers.utils.import_utils as transformers_imports
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoConfig, AutoModelForCausalLM

from worker.kn.resident import Resident

SOME_COUNT = 64
SOME_ID = 5


class Letters:
    """A tokenizer with BOS 1 and one id for each character."""

    eos_token_id = 2

    def encode(self, text: str, /, *, add_special_tokens: bool = True, **_: Any) -> list[int]:
        return [1] * add_special_tokens + [3 + ord(letter) % 128 for letter in text]

    def decode(self, ids: Any, /, **_: Any) -> str:
        ids = [ids] if isinstance(ids, int) else list(ids)
        return "".join(chr(int(i) - 3) for i in ids if int(i) > 2)


@contextmanager
def valueless() -> Iterator[None]:
    """Tensors have no values meanwhile; what is asked of them is made up.

    transformers takes such tensors for a compiler's and would build masks that it does not need:
    it is told that they are none.
    """
    transformers.logging.set_verbosity_error()  # it warns of token ids that are made up
    usual = transformers_imports.is_fake_tensor
    transformers_imports.is_fake_tensor = lambda _: False
    FakeTensor.tolist = _made_up_list  # type: ignore[method-assign]
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), torch.random.fork_rng():
            yield
    finally:
        transformers_imports.is_fake_tensor = usual
        del FakeTensor.tolist


def resident_of(config: Mapping[str, Any], dtype: torch.dtype) -> Resident:
    """A model by its `config.json`; to be called within `valueless`."""
    kind = config["model_type"]
    others = {name: value for name, value in config.items() if name != "model_type"}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **others), dtype=dtype)
    return Resident.of(model, Letters())


class Answering(TorchDispatchMode):
    """Makes up the values that code asks for: every truth is true, every mask whole."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        aten = torch.ops.aten
        if func is aten._local_scalar_dense.default:
            return _made_up(args[0].dtype)
        if func is aten.equal.default:
            return False
        if func is aten.index.Tensor and _is_mask(args[1][0]):
            (mask,) = args[1]
            everywhere = [torch.zeros(mask.numel(), dtype=torch.int64)] * mask.dim()
            return aten.index.Tensor(args[0], everywhere)
        return func(*args, **(kwargs or {}))


def _is_mask(index: Tensor | None) -> bool:
    return index is not None and index.dtype is torch.bool


def _made_up(dtype: torch.dtype) -> bool | int | float:
    if dtype is torch.bool:
        return True
    return 1.0 if dtype.is_floating_point else SOME_COUNT


def _made_up_list(tensor: Tensor) -> Any:
    """A list of the tensor's shape; one of a single dimension counts."""
    if tensor.dim() == 1:
        return list(range(len(tensor)))
    return [_ids(tensor.shape[1:]) for _ in range(tensor.shape[0])]


def _ids(shape: Any) -> Any:
    return [_ids(shape[1:]) for _ in range(shape[0])] if shape else SOME_ID
