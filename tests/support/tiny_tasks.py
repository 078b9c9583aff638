"""A task on a tiny model, as its method is given it."""

from collections.abc import Sequence

from worker.kn import EditRequest, Resident
from worker.kn.methods.recipe import Task


def tiny_task(
    resident: Resident,
    *,
    target: str = "Rome",
    references: Sequence[Sequence[int]] = ([1, 40, 50], [1, 60]),
    said: Sequence[Sequence[int]] = (),
) -> Task:
    """Paris is to be overwritten; all layers ride in one pass."""
    return Task(
        resident=resident,
        request=EditRequest(prompt="The capital is", target_new=target),
        ground_truth="Paris",
        own_ids=(),
        ending=None,
        references=references,
        said=said,
        layers_per_pass=3,
    )
