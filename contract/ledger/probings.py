"""What probes found, kept for the worker that starts next on the same machine."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from redis import Redis

from contract.admission.calibration import Probing
from contract.ledger import names

KEPT_S = 86_400
"""Bounds how long a measurement counts that others on the card may have spoilt."""


class Probings:
    """Probings by what they depend on: machine, base, software, settings of the engine."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def find(self, circumstances: Mapping[str, Any]) -> Probing | None:
        """What was found in exactly these circumstances, if it was kept."""
        kept = self._redis.get(_key(circumstances))
        try:
            return Probing.model_validate_json(kept) if kept else None
        except ValidationError:
            return None  # of a version that told it otherwise: it is measured again

    def keep(self, circumstances: Mapping[str, Any], probing: Probing) -> None:
        """A probing that failed is not kept: the next worker tries again."""
        if probing.calibration is not None:
            self._redis.set(_key(circumstances), probing.model_dump_json(), ex=KEPT_S)


def _key(circumstances: Mapping[str, Any]) -> str:
    told = json.dumps(circumstances, sort_keys=True, default=str)
    return names.probing(hashlib.sha256(told.encode()).hexdigest())
