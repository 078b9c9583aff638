"""The tiny models as fixtures."""

import pytest
import torch
from tiny_models import FAMILIES, Letters

from worker.kn.model.resident import Resident


@pytest.fixture(params=FAMILIES)
def resident(request: pytest.FixtureRequest) -> Resident:
    """Each family in turn, in float64."""
    torch.manual_seed(0)
    return Resident.of(FAMILIES[request.param]().double(), Letters())


@pytest.fixture
def llama() -> Resident:
    """A Llama in float32."""
    torch.manual_seed(0)
    return Resident.of(FAMILIES["llama-mha-untied"](), Letters())
