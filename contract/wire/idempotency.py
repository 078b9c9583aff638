"""How a job is found again by the Idempotency-Key that made it."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """Digests of the key with its caller, and of the body: neither can be told from them.

    It is kept, and goes over no wire: were it a model, the API's description would show it.
    """

    key: str
    body: str
    until: datetime

    @classmethod
    def from_json(cls, kept: str) -> "Idempotency":
        return _KEPT.validate_json(kept)

    @property
    def as_json(self) -> str:
        return _KEPT.dump_json(self).decode()


_KEPT = TypeAdapter(Idempotency)
