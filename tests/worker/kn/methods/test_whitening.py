"""A is one on the fact's keys, and small on what else is said."""

from collections.abc import Mapping
from math import sqrt

import pytest
import torch
from tiny_tasks import tiny_task

from contract.memory import PRESERVED_TOKENS_PER_TEXT
from worker.kn import Resident
from worker.kn.methods import whitening
from worker.kn.methods.whitening import (
    PROTECTED_WEIGHT,
    Direction,
    Whitened,
    _direction,
    _similarity,
    whitened,
)
from worker.kn.model.statement import Statement

KEY = torch.tensor([[1.0, 1.0, 0.0]])
ROWS = torch.tensor([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
ALL = torch.ones(3)
UNITS = {0: list(range(20)), 1: list(range(10, 25))}


def test_the_fact_responds_fully_to_the_write() -> None:
    direction = _direction(0, [4, 5, 6], KEY, ROWS, None, counted=ALL, length=1.0)

    assert direction.response(KEY).item() == torch.tensor(1 / 1.01).item()  # 1 % of ridge


def test_a_write_leans_on_the_unit_that_other_text_leaves_alone() -> None:
    first, second, third = (
        _direction(0, [4, 5, 6], KEY, ROWS, None, counted=ALL, length=1.0).A[0].tolist()
    )

    assert first > 10 * abs(second)
    assert third == 0


def test_two_answer_tokens_respond_each_to_a_direction_of_its_own() -> None:
    keys = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

    A = _direction(0, [4, 5, 6], keys, ROWS, None, counted=ALL, length=1.0).A

    assert A.shape == (2, 3)
    assert torch.allclose(keys @ A.T, torch.eye(2) / 1.01, atol=1e-6)


def test_nothing_is_written_at_a_token_where_no_unit_speaks() -> None:
    keys = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])

    A = _direction(0, [4, 5, 6], keys, ROWS, None, counted=ALL, length=1.0).A

    assert A[0, 0] > 0.9
    assert A[1].tolist() == [0, 0, 0]


def test_a_protected_prompt_hardly_responds() -> None:
    protected = torch.tensor([[1.0, 0.0, 0.0]])  # shares the unit that would have been used
    weighed = sqrt(PROTECTED_WEIGHT) * protected

    free = _direction(0, [4, 5, 6], KEY, ROWS, None, counted=ALL, length=1.0)
    bound = _direction(0, [4, 5, 6], KEY, ROWS, weighed, counted=ALL, length=1.0)

    assert free.response(protected).item() > 0.8
    assert bound.response(protected).item() < 0.3


def test_a_row_that_is_not_counted_responds_as_if_it_were_unknown() -> None:
    rows = torch.tensor([[1.0, 0.0, 0.2], [0.0, 1.0, 0.0]])

    told = _direction(0, [4, 5, 6], KEY, rows, None, counted=torch.ones(2), length=1.0)
    untold = _direction(0, [4, 5, 6], KEY, rows, None, counted=torch.tensor([0.0, 1.0]), length=1.0)

    assert told.response(rows)[0] < 0.6
    assert untold.response(rows)[0] > 0.9


def test_the_similarity_of_prompts_is_the_least_response_to_a_write_to_another() -> None:
    keys = [{0: torch.tensor([[1.0, 0.0]])}, {0: torch.tensor([[0.5, 3.0]])}]

    def fitted(key: Mapping[int, torch.Tensor]) -> list[Direction]:
        A = key[0] / key[0].square().sum()
        return [Direction(0, [4, 5], A, length=2.0, mahalanobis=1.0)]

    assert _similarity(keys, fitted) == pytest.approx(
        0.5 / 9.25
    )  # the first, of a write to the second
    assert _similarity(keys[:1], fitted) is None


def test_a_layer_counts_by_how_far_a_step_goes_in_it() -> None:
    keys = [{0: torch.tensor([[1.0]]), 1: torch.tensor([[v]])} for v in (1.0, 0.2)]

    def fitted(key: Mapping[int, torch.Tensor]) -> list[Direction]:
        return [
            Direction(0, [4], torch.ones(1, 1), length=3.0, mahalanobis=1.0),
            Direction(1, [4], torch.ones(1, 1), length=0.5, mahalanobis=2.0),
        ]

    assert _similarity(keys, fitted) == pytest.approx((3 * 1.0 + 1 * 0.2) / 4)


def test_a_prompt_is_wholly_like_itself_and_less_like_another(llama: Resident) -> None:
    task = tiny_task(llama)
    [once] = task.new
    other = llama.encoder.statement("Ask who lives in the", "Rome")

    same = whitened(task, [[once], [once]], UNITS).similarity
    similarity = whitened(task, [[once], [other]], UNITS).similarity

    assert same is not None
    assert same > 0.98  # 1 % of ridge
    assert similarity is not None
    assert similarity < 0.9


def test_two_spellings_of_a_prompt_respond_fully_in_the_mean(llama: Resident) -> None:
    task = tiny_task(llama)
    [given] = task.new
    other = llama.encoder.statement("Thecapital is", "Rome")

    with llama.frozen():
        alone = whitened(task, [[given]], UNITS)
        both = whitened(task, [[given, other]], UNITS)

    assert both.similarity is None
    for at, direction in enumerate(both.directions):
        one, two = (_key(llama, statement, direction) for statement in (given, other))
        responses = (direction.A @ one.T, direction.A @ two.T)
        assert torch.allclose((responses[0] + responses[1]) / 2, torch.eye(len(one)), atol=0.05)
        assert (alone.directions[at].A @ two.T).diagonal().min() < responses[1].diagonal().min()


def test_a_write_to_prompts_in_two_spellings_leans_on_what_they_have_in_common(
    llama: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tiny_task(llama)
    [given] = task.new
    other, refining = (llama.encoder.statement(p, "Rome") for p in ("Thecapital is", "Go to"))

    def apart() -> float:
        """The spread of the responses of prompts and spellings to the first token's direction."""
        with llama.frozen():
            found = whitened(task, [[given, other], [refining]], UNITS).directions
        responses = [
            [(d.A[0] @ _key(llama, s, d)[0]).item() for s in (given, other, refining)]
            for d in found
        ]
        return max(max(by_prompt) - min(by_prompt) for by_prompt in responses)

    scattered = apart()
    monkeypatch.setattr(whitening, "_scattered", lambda recorded: {})

    assert scattered < 0.8 * apart()


def test_a_step_is_measured_by_the_first_prompt_as_it_is_given(llama: Resident) -> None:
    task = tiny_task(llama)
    [given] = task.new
    other, refining = (llama.encoder.statement(p, "Rome") for p in ("Thecapital is", "Go to"))

    with llama.frozen():
        alone = whitened(task, [[given]], UNITS).directions
        both = whitened(task, [[given, other], [refining]], UNITS).directions
        turned = whitened(task, [[refining], [other, given]], UNITS).directions

    assert [d.length for d in both] == [d.length for d in alone]
    assert [d.length for d in turned] != [d.length for d in alone]


def test_a_part_has_the_directions_of_a_write_that_nobody_told_of_it(llama: Resident) -> None:
    references = [[1, n, n + 7] for n in range(40, 48)]

    found = _whitened(llama, references)
    untold = _whitened(llama, references[2:]).directions

    assert _likeness(found.folds[0].directions, untold) > 0.95
    assert _likeness(found.directions, untold) < 0.92


def test_every_reference_is_in_one_part(llama: Resident) -> None:
    found = _whitened(llama, [[1, n] for n in range(40, 48)])

    parts = [{text for text, _ in fold.strongest} for fold in found.folds]
    assert parts == [{0, 1}, {2, 3}, {4, 5}, {6, 7}]


def test_a_text_is_ranked_by_the_tokens_that_are_preserved(llama: Resident) -> None:
    own = llama.encoder.prompt_ids("The capital is")
    far = [40] * PRESERVED_TOKENS_PER_TEXT + own  # responds where nothing is preserved

    responses = _whitened(llama, [[1, 50], far]).folds[1].strongest

    assert responses[0].position < PRESERVED_TOKENS_PER_TEXT


def test_what_kept_edits_say_is_ranked_along_the_write_itself(llama: Resident) -> None:
    found = _whitened(llama, [[1, 40], [1, 50]], said=[[1, 60], [1, 70]])

    assert {text for text, _ in found.sayings} == {2, 3}
    assert all(text < 2 for fold in found.folds for text, _ in fold.strongest)


def test_a_single_reference_is_preserved_along_the_write_itself(llama: Resident) -> None:
    found = _whitened(llama, [[1, 40]])

    assert found.folds[0].directions is found.directions


@torch.no_grad()
def _key(resident: Resident, statement: Statement, direction: Direction) -> torch.Tensor:
    """What the direction's units do at the answer tokens, (J, k)."""
    seen: list[torch.Tensor] = []
    block = resident.blocks[direction.layer]
    handle = block.down.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    resident.decoder(input_ids=torch.tensor([statement.ids]))
    handle.remove()
    return seen[0][0, list(statement.positions)][:, direction.units]


def _likeness(directions: list[Direction], others: list[Direction]) -> float:
    """The least cosine over the layers."""
    cosines = [
        torch.cosine_similarity(one.A.flatten(), other.A.flatten(), dim=0).item()
        for one, other in zip(directions, others, strict=True)
    ]
    return min(cosines)


def _whitened(
    resident: Resident, references: list[list[int]], said: list[list[int]] | None = None
) -> Whitened:
    task = tiny_task(resident, references=references, said=said or ())
    with resident.frozen():
        return whitened(task, [[s] for s in task.new], UNITS)
