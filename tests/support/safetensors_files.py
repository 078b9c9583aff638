"""Safetensors files of 16-bit numbers, written by hand."""

import json
import struct
from collections.abc import Mapping, Sequence

Matrix = Sequence[Sequence[int]]


def file_of(tensors: Mapping[str, Matrix | Sequence[int]], *, dtype: str = "BF16") -> bytes:
    """Matrices of 16-bit elements; flat sequences are int32."""
    header, body = {}, b""
    for name, rows in tensors.items():
        if isinstance(rows[0], int):
            content, kind, shape = struct.pack(f"<{len(rows)}i", *rows), "I32", [len(rows)]
        else:
            flat = [element for row in rows for element in row]
            content, kind = struct.pack(f"<{len(flat)}H", *flat), dtype
            shape = [len(rows), len(rows[0])]
        offsets = [len(body), len(body) + len(content)]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": offsets}
        body += content
    told = json.dumps(header | {"__metadata__": {"format": "pt"}}).encode()
    return len(told).to_bytes(8, "little") + told + body
