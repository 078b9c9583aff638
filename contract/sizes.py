"""Sizes as a person reads them."""

_UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def size(n_bytes: int) -> str:
    """Bytes in the largest unit of which there is one."""
    for unit, scale in _UNITS:
        if n_bytes >= scale:
            return f"{n_bytes / scale:.1f} {unit}"
    return f"{n_bytes} B"
