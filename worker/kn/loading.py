"""From a directory of weights to an editor."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from worker.kn.base import Base
from worker.kn.editor import Editor
from worker.kn.errors import KnError
from worker.kn.layout import layout_of
from worker.kn.resident import Resident

DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


SPREADS = {"auto", "balanced", "balanced_low_0", "sequential"}
"""What `device_map` takes beside devices."""


class UnknownDtypeError(KnError):
    """The dtype is not one the engine computes in."""

    def __init__(self, dtype: str) -> None:
        super().__init__(f"dtype {dtype!r} is not one of {', '.join(DTYPES)}")


class UnknownDeviceError(KnError):
    """There is no such device here."""

    def __init__(self, device: str) -> None:
        super().__init__(f"device {device!r} cannot be used here")


def load_resident(
    directory: Path, *, dtype: str | None = None, device: str | None = None
) -> Resident:
    """Load a Hugging Face model directory.

    `dtype` defaults to the checkpoint's own; `device` to the first GPU, if any, else the CPU;
    "auto" spreads the layers over all devices. Raises `UnknownFamilyError`,
    `QuantisedModelError` and `UnknownDeviceError` before any weight is read.
    """
    config = AutoConfig.from_pretrained(directory)
    layout_of(config)
    if device:
        _check_device(device)
    model = AutoModelForCausalLM.from_pretrained(
        directory,
        dtype=_dtype(dtype) if dtype else "auto",
        device_map=device or ("cuda" if torch.cuda.is_available() else "cpu"),
    )
    return Resident.of(model, AutoTokenizer.from_pretrained(directory))


def _check_device(name: str) -> None:
    """Raises `UnknownDeviceError` unless a tensor can be made there."""
    if name in SPREADS:
        return
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UnknownDeviceError(name) from error


def _dtype(name: str) -> torch.dtype:
    try:
        return DTYPES[name]
    except KeyError:
        raise UnknownDtypeError(name) from None


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
    return Editor(
        resident,
        base=Base.of(directory),
        reference_prompts=reference_prompts,
    )
