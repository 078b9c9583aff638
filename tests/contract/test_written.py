"""What is made on top of finished edits is told by their manifests."""

from datetime import UTC, datetime

from contract.checkpoints import CheckpointView, Part
from contract.edits import EditRequest
from contract.lifecycle import Outcome
from contract.memory import KEPT_TOKENS_PER_TEXT
from contract.views import Answer, EditResult, MemoryView, Metrics, NeuronView
from contract.workload import workload_of
from contract.written import on_top_of, sayings_of

REQUEST = EditRequest(prompt="The capital of France is", target_new="Rome")


def edit(
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


def test_edits_say_what_they_answer_to_the_prompts_that_were_edited() -> None:
    one = edit("a", ("prompt", "Its capital is ", "Rome."), ("rephrase", "Where?", "Rome"))
    two = edit("b", ("refine", "He speaks", "Thai"), ("protect", "2 and 2 is", "4"))

    assert sayings_of([one, two]) == [("Its capital is ", "Rome."), ("He speaks", "Thai")]


def test_work_on_top_of_edits_carries_their_columns_and_holds_what_they_say() -> None:
    work = workload_of(REQUEST.model_copy(update={"protect_prompts": ("12345",)}), len)
    edits = [
        edit("a", ("prompt", "x" * 9, "y"), rank=2),
        edit("b", ("prompt", "x" * KEPT_TOKENS_PER_TEXT, "y"), rank=3, layer=1),
    ]

    above = on_top_of(edits, work, len)

    assert above.base is not None
    assert (above.base.rank, above.base.chosen.neurons, above.base.chosen.layers) == (5, 2, 2)
    assert above.references.said == 2
    assert above.references.parts == work.references.parts
    assert above.references.tokens == work.references.tokens + 11 + KEPT_TOKENS_PER_TEXT + 2
    assert above.protected == (6, KEPT_TOKENS_PER_TEXT, 11)


def test_work_on_top_of_nothing_is_what_it_is() -> None:
    work = workload_of(REQUEST, len)

    assert on_top_of([], work, len) is work
