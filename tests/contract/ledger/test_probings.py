"""What probes found, from one worker to the next."""

from typing import Any

import pytest
from redis import Redis

from contract.admission.calibration import Calibration, MemoryProbe, Probing
from contract.ledger.probings import Probings

HERE: dict[str, Any] = {"host": "here", "base": "b" * 64, "provenance": {"dtype": "float32"}}
FOUND = Probing(
    probes=(
        MemoryProbe(
            method="paper",
            prompt_tokens=6,
            layers_per_pass=1,
            predicted_bytes=1000,
            observed_bytes=1100,
            ratio=1.1,
        ),
    ),
    calibration=Calibration(factor=1.1, offset_bytes=7),
)


@pytest.fixture
def probings(redis: Redis) -> Probings:
    return Probings(redis)


def test_what_was_found_is_found_again_by_whoever_runs_the_same(probings: Probings) -> None:
    probings.keep(HERE, FOUND)

    assert probings.find(dict(reversed(HERE.items()))) == FOUND


@pytest.mark.parametrize(
    "other", [{"host": "there"}, {"base": "c" * 64}, {"provenance": {"dtype": "bfloat16"}}]
)
def test_in_other_circumstances_nothing_is_known(probings: Probings, other: dict[str, Any]) -> None:
    probings.keep(HERE, FOUND)

    assert probings.find(HERE | other) is None


def test_a_failure_is_not_kept(probings: Probings) -> None:
    probings.keep(HERE, Probing(error="timeout: took too long"))

    assert probings.find(HERE) is None


def test_it_is_forgotten_after_a_day(probings: Probings, redis: Redis) -> None:
    probings.keep(HERE, FOUND)

    (key,) = redis.keys("palimpsest:probing:*")
    assert 86_000 < redis.ttl(key) <= 86_400


def test_what_another_version_wrote_is_measured_again(probings: Probings, redis: Redis) -> None:
    probings.keep(HERE, FOUND)
    (key,) = redis.keys("palimpsest:probing:*")
    redis.set(key, b'{"probes": 3}')

    assert probings.find(HERE) is None
