"""The worst of several attributions."""

import pytest
import torch

from worker.kn import NonFiniteError
from worker.kn.collect.attribution import Attribution
from worker.kn.collect.completeness import worst_incompleteness


def test_the_worst_of_several_counts() -> None:
    assert worst_incompleteness([_missing(0.1), _missing(0.5), _missing(0.2)]) == pytest.approx(0.5)


@pytest.mark.parametrize("place", [0, 1])
def test_one_that_is_not_a_number_is_an_error_wherever_it_is(place: int) -> None:
    attributions = [_missing(0.1), _missing(0.2)]
    attributions[place] = _missing(float("nan"))

    with pytest.raises(NonFiniteError):
        worst_incompleteness(attributions)


def _missing(share: float) -> Attribution:
    """One token, one layer whose change is 1, and scores that lack a share of it."""
    return Attribution(scores=torch.tensor([[[1.0 - share]]]), lost=torch.tensor([[1.0]]))
