"""The base of every wire value."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A wire value: immutable, and unknown fields are refused."""

    # Ids, times and texts that pass by do not come again: to cache them would only take memory.
    model_config = ConfigDict(frozen=True, extra="forbid", cache_strings="keys")
