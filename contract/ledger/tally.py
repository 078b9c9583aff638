"""How much memory edits took: all that ended, counted in buckets, and the latest one by one."""

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from math import inf
from typing import NamedTuple

from pydantic import FiniteFloat, TypeAdapter, ValidationError
from redis import Redis

from contract.ledger import names
from contract.logs import EventLog
from contract.wire.ids import EDIT_PREFIX
from contract.wire.views import MemoryView

MIB = 2**20
BYTES_UP_TO = (*(float(4**n * MIB) for n in range(10)), inf)  # 1 MiB to 256 GiB
RATIOS_UP_TO = (0.25, 0.5, 0.75, 0.9, 0.94, 0.97, 0.99, 1.0, 1.01, 1.03, 1.06, 1.1, 1.5, inf)
LATEST = 20

log = EventLog(__name__)


class Quantity(StrEnum):
    """What is counted of an edit: bytes above the weights, and the second by the first."""

    PREDICTED_BYTES = "predicted_bytes"
    OBSERVED_BYTES = "observed_bytes"
    RATIO = "ratio"

    @property
    def up_to(self) -> tuple[float, ...]:
        """The upper bounds of its buckets."""
        return RATIOS_UP_TO if self is Quantity.RATIO else BYTES_UP_TO


FIELD = TypeAdapter(tuple[str, str, Quantity, str])
"""A name in the tally: model, method, quantity, and a bucket's bound or `sum`."""
AMOUNT = TypeAdapter(FiniteFloat)


class Edited(NamedTuple):
    """Of which model and method an edit was."""

    model: str
    method: str


@dataclass(frozen=True, slots=True)
class Buckets:
    """How many edits lie up to each bound, the last of which is infinite; and their sum."""

    up_to: Mapping[float, int]
    total: float


@dataclass(frozen=True, slots=True)
class Taken:
    """The memory of one edit."""

    edit_id: str
    edited: Edited
    memory: MemoryView


def method_of(request: bytes) -> str:
    """The method of an edit's request, as its record keeps it."""
    return str(json.loads(request)["method"])


def values_of(memory: MemoryView) -> dict[Quantity, float]:
    """What there is to count; nothing but the prediction where nothing was measured."""
    predicted, observed = memory.predicted_peak_bytes, memory.observed_peak_bytes
    values = {Quantity.PREDICTED_BYTES: float(predicted)}
    if observed is not None:
        values[Quantity.OBSERVED_BYTES] = float(observed)
        if predicted:
            values[Quantity.RATIO] = observed / predicted
    return values


def increments(edited: Edited, memory: MemoryView) -> dict[str, float]:
    """By how much each field of the tally grows when such an edit ends."""
    grown: dict[str, float] = {}
    for quantity, value in values_of(memory).items():
        bound = quantity.up_to[bisect_left(quantity.up_to, value)]
        grown[_field(edited, quantity, str(bound))] = 1
        grown[_field(edited, quantity, "sum")] = value
    return grown


def read_tally(redis: Redis) -> dict[Quantity, dict[Edited, Buckets]]:
    """All that ended since Redis was empty; what cannot be read is left out."""
    found: dict[tuple[Quantity, Edited], dict[str, float]] = {}
    for raw, value in redis.hgetall(names.TALLY).items():
        try:
            model, method, quantity, part = FIELD.validate_json(raw)
            grown = AMOUNT.validate_json(value)
        except ValidationError:
            log.warning("tally_not_read", field=raw.decode(errors="replace"))
        else:
            found.setdefault((quantity, Edited(model, method)), {})[part] = grown
    told: dict[Quantity, dict[Edited, Buckets]] = {quantity: {} for quantity in Quantity}
    for quantity, edited in sorted(found):
        told[quantity][edited] = _buckets(quantity, found[quantity, edited])
    return told


def read_latest(redis: Redis) -> list[Taken]:
    """The latest edits that ended with a result, newest first; those whose records cannot be read
    are left out."""
    ended = redis.zrevrange(names.FINISHED, 0, 5 * LATEST)
    ids = [raw.decode().rsplit(" ", 1)[1] for raw in ended]
    edits = [edit_id for edit_id in ids if edit_id.startswith(EDIT_PREFIX)]
    with redis.pipeline(transaction=False) as pipe:
        for edit_id in edits:
            pipe.hmget(names.edit(edit_id), "model", "request", "result")
        records = zip(edits, pipe.execute(), strict=True)
    return list(_taken(records))[:LATEST]


def _taken(records: Iterator[tuple[str, list[bytes | None]]]) -> Iterator[Taken]:
    for edit_id, (model, request, result) in records:
        if model and request and result:
            try:
                yield _of(edit_id, model, request, result)
            except (KeyError, TypeError, ValueError) as error:
                log.warning("record_not_read", edit_id=edit_id, reason=type(error).__name__)


def _of(edit_id: str, model: bytes, request: bytes, result: bytes) -> Taken:
    edited, told = Edited(model.decode(), method_of(request)), json.loads(result)["memory"]
    return Taken(edit_id, edited, MemoryView.model_validate(told, extra="ignore"))


def _buckets(quantity: Quantity, parts: Mapping[str, float]) -> Buckets:
    counts = (int(parts.get(str(bound), 0)) for bound in quantity.up_to)
    cumulated = zip(quantity.up_to, accumulate(counts), strict=True)
    return Buckets(dict(cumulated), parts.get("sum", 0.0))


def _field(edited: Edited, quantity: Quantity, part: str) -> str:
    return json.dumps([edited.model, edited.method, quantity.value, part])
