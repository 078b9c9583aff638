"""The verdict on an edit: whether it holds, and warnings."""

from collections.abc import Iterator

from worker.kn.collect.completeness import MUCH
from worker.kn.collect.quadrature import Rule
from worker.kn.evaluate.replies import Reply
from worker.kn.methods.recipe import Selection
from worker.kn.model.wording import begins_with, first_line
from worker.kn.request import EditRequest, Method, Operation
from worker.kn.result import EditWarning


def holds(request: EditRequest, own_ids: tuple[int, ...], after: Reply) -> bool:
    """Whether the edited model says the new answer, or no longer says the erased one.

    `own_ids` are what the unedited model says (`OwnAnswer.ids`), which counts as the old answer
    where none is given. It is known only as far as the new one is long, and may end within a word:
    it is compared by its ids.
    """
    if request.operation is Operation.EDIT:
        return after.says(request.target_new)
    if request.ground_truth is not None:
        return not begins_with(after.text, first_line(request.ground_truth))
    return not own_ids or after.ids[: len(own_ids)] != own_ids


def warnings_of(request: EditRequest, before: Reply, selection: Selection) -> list[EditWarning]:
    """Warnings that do not stop the edit."""
    return [*_of_the_request(request, before), *_of_the_attribution(request, selection)]


def _of_the_request(request: EditRequest, before: Reply) -> Iterator[EditWarning]:
    truth, target = request.ground_truth, request.target_new
    if truth and not begins_with(before.text, first_line(truth)):
        text = f"the model answers {before.text!r}, not ground_truth {truth!r}"
        yield EditWarning("ground_truth_differs", text)
    if request.operation is Operation.EDIT and before.says(target):
        yield EditWarning("target_already_held", f"the model says target_new {target!r} already")
    if request.subject and request.subject not in request.prompt:
        text = f"subject {request.subject!r} does not occur in the prompt"
        yield EditWarning("subject_not_in_prompt", text)


def _of_the_attribution(request: EditRequest, selection: Selection) -> Iterator[EditWarning]:
    if selection.incompleteness > MUCH:
        # EasyEdit has its own points: only their number can be changed.
        coarse = request.rule is Rule.RIEMANN and request.method is not Method.EASYEDIT
        other = ", or quadrature gauss_legendre," if coarse else ""
        yield EditWarning(
            "attribution_incomplete",
            f"attributions miss {selection.incompleteness:.2f} of what they should add up to: "
            f"more steps than {request.hparams.steps}{other} may choose other neurons",
        )
