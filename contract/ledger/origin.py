"""Where a submission comes from."""

import hashlib
import json
from dataclasses import dataclass

from contract.ledger import names
from contract.wire.frozen import Frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who asks, by which request, in place of which edit."""

    caller: str = ""
    idempotency_key: str | None = None
    request_id: str = ""
    retry_of: str | None = None

    def body_digest(self, request: Frozen) -> str:
        """What was asked; a model that was left out is the one that was found."""
        told = request.model_dump(mode="json", exclude={"model"})
        return _digest(f"{self.retry_of}\n{json.dumps(told, sort_keys=True)}")

    @property
    def key(self) -> str | None:
        """Where the idempotency key is remembered: each caller has keys of its own."""
        if self.idempotency_key is None:
            return None
        return names.idempotency(_digest(f"{self.caller}\n{self.idempotency_key}"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
