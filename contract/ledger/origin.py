"""Where a submission comes from."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from contract.ledger import names
from contract.wire.frozen import Frozen
from contract.wire.idempotency import Idempotency


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who asks, by which request, in place of which edit."""

    caller: str = ""
    idempotency_key: str | None = None
    request_id: str = ""
    retry_of: str | None = None

    def body_digest(self, request: Frozen) -> str:
        """What was asked; a model that was left out is the one that was found, and what is left as
        it is by default is not told, so that a version which takes more finds the same."""
        told = request.model_dump(mode="json", exclude={"model"}, exclude_defaults=True)
        return _digest(f"{self.retry_of}\n{json.dumps(told, sort_keys=True)}")

    @property
    def key(self) -> str | None:
        """Where the idempotency key is remembered: each caller has keys of its own."""
        return names.idempotency(self._key_digest) if self._key_digest else None

    def idempotency(self, request: Frozen, *, until_s: float) -> Idempotency | None:
        """By what the job is found until then; None where no key came with it."""
        if self._key_digest is None:
            return None
        until = datetime.fromtimestamp(until_s, UTC)
        return Idempotency(key=self._key_digest, body=self.body_digest(request), until=until)

    @property
    def _key_digest(self) -> str | None:
        if self.idempotency_key is None:
            return None
        return _digest(f"{self.caller}\n{self.idempotency_key}")


def made_by_key(job_id: str, body_digest: str, model: str) -> str:
    """What is remembered under an idempotency key."""
    return f"{job_id} {body_digest} {model}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
