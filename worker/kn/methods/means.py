"""Means over prompts whose answers may not have equally many tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor


def mean_by_token(values: Sequence[Tensor]) -> Tensor:
    """Values (J, …) by prompt, each token's averaged over the prompts that have it: (max J, …).

    The same answer may take more tokens after one prompt than after another, where the tokenizer
    merges it with what is before it.
    """
    longest = max(map(len, values))
    return torch.stack(
        [torch.stack([v[j] for v in values if j < len(v)]).mean(0) for j in range(longest)]
    )
