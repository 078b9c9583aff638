"""From a directory of weights to an editor."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from worker.kn.editor import Editor
from worker.kn.errors import UnknownDeviceError, UnknownDtypeError, UnloadableModelError
from worker.kn.model.base import Base
from worker.kn.model.layout import DTYPES, layout_of
from worker.kn.model.resident import Resident

UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
)
"""What is raised of files that are no model's."""

SPREADS = {"auto", "balanced", "balanced_low_0", "sequential"}
"""What `device_map` takes beside devices."""


def load_resident(
    directory: Path, *, dtype: str | None = None, device: str | None = None
) -> Resident:
    """Load a Hugging Face model directory.

    `dtype` defaults to the checkpoint's own; `device` to the first GPU, if any, else the CPU;
    "auto" spreads the layers over all devices. Raises `UnloadableModelError`, also where an adapter
    lies in the directory, a weight is not in its files, or a layer finds no room on a device; and
    before any weight is read `UnknownFamilyError`, `QuantisedModelError`, `UnsuitableModelError`,
    `UnknownDtypeError` and `UnknownDeviceError`.
    """
    if not (directory / "config.json").is_file():
        raise UnloadableModelError(directory, reason="it has no config.json")
    if (directory / "adapter_config.json").exists():  # transformers would load it, too
        raise UnloadableModelError(directory, reason="an adapter lies in it: merge it first")
    with _refusing(directory):
        config = AutoConfig.from_pretrained(directory)
    layout_of(config)
    if device:
        _check_device(device)
    torch_dtype = _dtype(dtype) if dtype else "auto"
    with _refusing(directory):
        model, told = AutoModelForCausalLM.from_pretrained(
            directory,
            dtype=torch_dtype,
            device_map=device or ("cuda" if torch.cuda.is_available() else "cpu"),
            attn_implementation="sdpa",  # which the memory formula assumes
            return_dict=True,  # whatever the config says
            output_loading_info=True,
        )
    if lacking := sorted(told["missing_keys"]):  # they would be drawn at random
        raise UnloadableModelError(directory, reason=f"its files lack {_named(lacking)}")
    if any(parameter.is_meta for parameter in model.parameters()):
        raise UnloadableModelError(directory, reason="it does not fit the devices as a whole")
    if not any(directory.glob("tokenizer*")):
        raise UnloadableModelError(directory, reason="it has no tokenizer")
    with _refusing(directory):
        tokenizer = AutoTokenizer.from_pretrained(directory)
    return Resident.of(model, tokenizer)


@contextmanager
def _refusing(directory: Path) -> Iterator[None]:
    """Tell in a line what transformers finds wrong with the directory."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except UNREADABLE as error:
        at_fault = error.__cause__ if isinstance(error, StrictDataclassError) else error
        lines = str(at_fault).strip().splitlines() or [type(error).__name__]
        raise UnloadableModelError(directory, reason=lines[0]) from error


def _named(weights: Sequence[str]) -> str:
    others = len(weights) - 1
    return weights[0] + (f" and {others} others" if others else "")


def _check_device(name: str) -> None:
    """Raises `UnknownDeviceError` unless a tensor can be made there, and read."""
    if name in SPREADS:
        return
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError) as error:
        raise UnknownDeviceError(name) from error


def _dtype(name: str) -> torch.dtype:
    try:
        return DTYPES[name]
    except KeyError:
        raise UnknownDtypeError(name, known=DTYPES) from None


def load_editor(
    directory: Path | str,
    *,
    dtype: str | None = None,
    device: str | None = None,
    reference_prompts: Sequence[str] | None = None,
) -> Editor:
    """An editor for the model in `directory`, see `load_resident`."""
    directory = Path(directory)
    resident = load_resident(directory, dtype=dtype, device=device)
    with _refusing(directory):
        base = Base.of(directory)
    return Editor(resident, base=base, reference_prompts=reference_prompts)
