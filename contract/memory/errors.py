"""Errors that mean an edit does not fit in memory: predicted ones, and real ones."""

import errno
import re

# Messages of torch's GPU allocator, of CUDA itself (in whatever exception class of torch), and of
# torch and oneDNN for main memory.
_MESSAGES = re.compile(
    r"CUDA out of memory"
    r"|CUDA error: (out of memory|CUBLAS_STATUS_ALLOC_FAILED)"
    r"|.*DefaultCPUAllocator: can't allocate memory"
    r"|could not create a (primitive|memory object)"
)


class ExcessError(Exception):
    """The predicted peak of an edit exceeds its budget, both in bytes above the weights."""

    def __init__(self, *, predicted: int, budget: int) -> None:
        self.predicted = predicted
        self.budget = budget
        super().__init__(
            f"the edit takes {predicted} bytes, the budget is {budget}: fewer neurons "
            "(adaptive_threshold, max_neurons) or prompts may fit"
        )


def ran_out(error: Exception) -> bool:
    """Whether an error means that device or main memory has run out."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    matched = isinstance(error, RuntimeError) and _MESSAGES.match(str(error))
    return bool(matched) or isinstance(error, MemoryError)
