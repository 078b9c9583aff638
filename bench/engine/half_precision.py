"""Products in half precision as a GPU computes them: summed in float32, and rounded once.

A CPU without half-precision instructions takes six times as long for them as in float32, and ten
times as long in the backward pass. Here both factors are widened, which is exact, multiplied in
float32, and the product is rounded. Everything else runs in half precision.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

HALVES = (torch.float16, torch.bfloat16)
PRODUCTS = frozenset(
    getattr(torch.ops.aten, name).default for name in ("mm", "addmm", "bmm", "baddbmm")
)


class SummedInFloat32(TorchDispatchMode):
    """Within the block half-precision products are computed in float32, forward and backward."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self,
        operation: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if operation not in PRODUCTS or args[0].dtype not in HALVES:
            return operation(*args, **(kwargs or {}))
        widened = [a.float() if isinstance(a, Tensor) else a for a in args]
        return operation(*widened, **(kwargs or {})).to(args[0].dtype)
