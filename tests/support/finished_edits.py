"""Finished edits, as their manifests describe them."""

from datetime import UTC, datetime

from contract.wire.checkpoints import CheckpointView, Part
from contract.wire.edits import EditRequest
from contract.wire.lifecycle import Outcome
from contract.wire.views import Answer, EditResult, MemoryView, Metrics, NeuronView

REQUEST = EditRequest(prompt="The capital of France is", target_new="Rome")


def finished(
    name: str, *answers: tuple[str, str, str], rank: int = 1, layer: int = 0
) -> CheckpointView:
    """A finished edit of one neuron; its answers by role, prompt and what is said after it."""
    result = EditResult(
        outcome=Outcome.HELD,
        before="",
        after="",
        answers=tuple(
            Answer(role=role, prompt=prompt, expected=None, before="", after=after)
            for role, prompt, after in answers
        ),
        neurons=(NeuronView(layer=layer, unit=3, score=1.0),),
        metrics=Metrics(),
        memory=MemoryView(predicted_peak_bytes=0, observed_peak_bytes=None),
    )
    return CheckpointView(
        id=f"ckpt-{name}",
        edit_id=f"edit-{name}",
        model="demo",
        base_digest="0" * 64,
        files=(),
        parts=(Part(edit_id=f"edit-{name}", first_rank=2, end_rank=2 + rank),),
        request=REQUEST,
        attempt=1,
        result=result,
        code_version="test",
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
