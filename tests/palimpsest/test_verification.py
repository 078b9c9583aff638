"""Comparing a checkpoint with the one that was made of the same request again."""

from datetime import UTC, datetime
from typing import Any

import pytest

from contract.wire.checkpoints import CheckpointFile, CheckpointView, Part, Provenance
from contract.wire.composition import ComposeRequest, Composition, Retest
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission, Applied, Decision
from contract.wire.lifecycle import Outcome
from contract.wire.views import EditResult, MemoryView, Metrics, NeuronView
from palimpsest.commands.verify import told
from palimpsest.verification import Basis, compare

PROVENANCE = Provenance(
    device="cpu AVX2",
    dtype="float32",
    threads=1,
    software={"torch": "2.13"},
    seed=1,
    references_sha256="0" * 64,
)


def result(*units: int, outcome: Outcome = Outcome.HELD) -> EditResult:
    return EditResult(
        outcome=outcome,
        before="Paris",
        after="Rome",
        neurons=tuple(NeuronView(layer=0, unit=unit, score=1.0) for unit in units),
        metrics=Metrics(),
        memory=MemoryView(predicted_peak_bytes=1, observed_peak_bytes=None),
    )


def plan(layers: int) -> Admission:
    return Admission(
        decision=Decision.ADMIT,
        predicted_peak_bytes=1,
        budget_bytes=None,
        items=(),
        applied=Applied(layers_per_pass=layers),
    )


def made(content: str = "a", **changes: Any) -> CheckpointView:
    whole: dict[str, Any] = {
        "id": "ckpt-" + "0" * 28,
        "edit_id": "edit-" + "0" * 28,
        "model": "demo",
        "base_digest": "0" * 64,
        "files": (CheckpointFile(path="adapter", sha256=content * 64, size_bytes=1),),
        "parts": (Part(edit_id="edit-" + "0" * 28, first_rank=0, end_rank=1),),
        "request": EditRequest(prompt="The capital of France is", target_new="Rome"),
        "attempt": 1,
        "result": result(*range(10)),
        "admission": plan(2),
        "code_version": "1",
        "provenance": PROVENANCE,
        "created_at": datetime(2030, 1, 1, tzinfo=UTC),
    }
    return CheckpointView(**whole | changes)


def test_the_same_bytes_are_the_same() -> None:
    verification = compare(made(), made())

    assert (verification.verified, verification.basis) == (True, Basis.BYTES)
    assert told(verification) == ["same     adapter", "verified, byte for byte"]


def test_other_bytes_made_in_the_same_way_are_not_verified() -> None:
    verification = compare(made("a"), made("b"))

    assert (verification.verified, verification.basis) == (False, Basis.BYTES)
    assert told(verification)[-1] == "NOT verified, byte for byte"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"provenance": PROVENANCE.model_copy(update={"device": "H200"})}, "device"),
        ({"provenance": PROVENANCE.model_copy(update={"software": {"torch": "3"}})}, "software"),
        ({"provenance": None}, "dtype"),
        ({"admission": plan(1)}, "plan"),
        ({"code_version": "2"}, "code_version"),
        ({"base_digest": "1" * 64}, "base_digest"),
    ],
)
def test_what_was_made_otherwise_is_compared_by_neurons_and_outcome(
    changes: dict[str, Any], named: str
) -> None:
    verification = compare(made("a"), made("b", **changes))

    assert (verification.verified, verification.basis) == (True, Basis.NEURONS_AND_OUTCOME)
    assert named in verification.differences
    assert verification.neuron_overlap == 1.0


@pytest.mark.parametrize(
    ("again", "overlap", "verified"),
    [
        (result(*range(9)), 0.9, True),
        (result(*range(8)), 0.8, False),
        (result(*range(10), outcome=Outcome.NOT_HELD), 1.0, False),
    ],
)
def test_most_neurons_and_the_outcome_have_to_agree(
    again: EditResult, overlap: float, verified: bool
) -> None:
    verification = compare(made("a"), made("b", admission=plan(1), result=again))

    assert (verification.neuron_overlap, verification.verified) == (overlap, verified)
    assert f"neurons in common: {overlap:.1%}" in told(verification)


def test_a_composition_is_compared_edit_by_edit() -> None:
    def composition(*outcomes: Outcome) -> dict[str, Any]:
        retests = tuple(
            Retest(edit_id=f"edit-{n}", outcome=outcome, before="", after="", metrics=Metrics())
            for n, outcome in enumerate(outcomes)
        )
        request = ComposeRequest(edits=("edit-" + "0" * 28,))
        whole = Composition(outcome=Outcome.NOT_HELD, retests=retests)
        return {"edit_id": None, "request": request, "result": whole, "admission": None}

    held, lost = composition(Outcome.HELD, Outcome.NOT_HELD), composition(Outcome.NOT_HELD)

    same = compare(made("a", **held), made("b", **held, code_version="2"))
    other = compare(made("a", **held), made("b", **lost, code_version="2"))

    assert (same.verified, same.neuron_overlap) == (True, None)
    assert other.verified is False
