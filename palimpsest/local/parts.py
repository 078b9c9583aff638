"""The packages that a service needs beside the client's, and how to get them."""

import importlib.util
from collections.abc import Sequence

SERVICE = (
    "accelerate",
    "fastapi",
    "fsspec",
    "redis",
    "rq",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
    "uvicorn",
)
"""What the extras `api` and `worker` bring."""
HOW_TO_INSTALL = "in the checkout run `pip install '.[api,worker,local]'` or `make install`"


def missing(names: Sequence[str]) -> list[str]:
    """Those that cannot be imported; none of them is imported to find out."""
    return [name for name in names if importlib.util.find_spec(name) is None]
