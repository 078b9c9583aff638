"""How one is told that memory has run out."""

import errno
import re

# How torch's allocator on a GPU tells it, how CUDA does below that, whatever torch's class for it,
# and how torch and oneDNN tell that main memory ran out.
_TOLD = re.compile(
    r"CUDA out of memory"
    r"|CUDA error: (out of memory|CUBLAS_STATUS_ALLOC_FAILED)"
    r"|.*DefaultCPUAllocator: can't allocate memory"
    r"|could not create a (primitive|memory object)"
)


def ran_out(error: Exception) -> bool:
    """Whether an error tells that memory, a device's or the machine's, has run out."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    told = isinstance(error, RuntimeError) and _TOLD.match(str(error))
    return bool(told) or isinstance(error, MemoryError)
