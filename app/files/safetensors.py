"""The header of a safetensors file: where each tensor lies in it."""

import json
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

from app.files.ranges import Span

LONGEST_HEADER_BYTES = 100_000_000
"""What the format itself allows."""


class MalformedHeaderError(ValueError):
    """The file does not begin as a safetensors file does."""


class Tensor(NamedTuple):
    """One tensor, row by row in its file."""

    dtype: str
    shape: tuple[int, ...]
    span: Span


def read_header(file: BinaryIO) -> dict[str, Tensor]:
    """The tensors of a file by name; raises `MalformedHeaderError`.

    The format: the header's length in 8 bytes, little-endian; the header, JSON; the tensors, by
    offsets from its end.
    """
    length = int.from_bytes(file.read(8), "little")
    if length > LONGEST_HEADER_BYTES:
        raise MalformedHeaderError(f"a header of {length} bytes")
    try:
        header = json.loads(file.read(length))
        tensors = {name: told for name, told in header.items() if name != "__metadata__"}
        return {name: _tensor(told, 8 + length) for name, told in tensors.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise MalformedHeaderError(str(error)) from error


def _tensor(told: Mapping[str, Any], offset: int) -> Tensor:
    start, stop = told["data_offsets"]
    return Tensor(told["dtype"], tuple(told["shape"]), Span(offset + start, offset + stop))
