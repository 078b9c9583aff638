"""Where a prompt names its subject, and what the units do there."""

from dataclasses import replace

import torch

from contract.memory import CONTEXT_TOKENS
from worker.kn import EditRequest, Resident
from worker.kn.methods.subject import subject_keys, subject_position
from worker.kn.recipe import Task
from worker.kn.recording import record
from worker.kn.statement import Batch, Statement

LAYERS = [0, 1]
UNITS = {0: [3, 4, 5], 1: [7, 8]}
CAPITAL = EditRequest(prompt="The capital is", target_new="Rome")


def test_the_answer_depends_most_on_the_subject(resident: Resident) -> None:
    """By central differences along every direction in which a feed-forward's output may move."""
    statement = resident.encoder.statement("of N", "Paris")
    last = statement.positions[0]

    with resident.frozen():
        felt = [_felt(resident, statement, position) for position in range(1, last)]
        found = subject_position(resident, statement, LAYERS)

    assert found == 1 + max(range(len(felt)), key=felt.__getitem__)


def test_neither_what_begins_a_text_nor_the_last_token_is_a_subject(resident: Resident) -> None:
    with resident.frozen():
        for prompt in ("ab", "abcd", "The capital is"):
            statement = resident.encoder.statement(prompt, "Paris")
            assert 1 <= subject_position(resident, statement, LAYERS) < statement.positions[0]


def test_of_a_prompt_of_one_token_it_is_that_one(llama: Resident) -> None:
    statement = llama.encoder.statement("a", "Paris")

    assert subject_position(llama, statement, LAYERS) == statement.positions[0] == 1


def test_the_key_is_the_mean_over_the_prompt_as_it_stands_and_behind_references(
    llama: Resident,
) -> None:
    task, context = _task(llama, [[1, 40, 50]]), [40, 50]
    statement = task.old[0]

    with llama.frozen():
        position = subject_position(llama, statement, LAYERS)
        keys = subject_keys(task, UNITS)
        start, *named = statement.ids[: position + 1]
        texts = ([start, *named], [start, *context, *named])
        expected = torch.stack([_hidden(llama, text)[UNITS[1]] for text in texts]).mean(0)

    assert torch.allclose(keys[1], expected, atol=1e-6)


def test_every_prompt_counts(llama: Resident) -> None:
    both = replace(CAPITAL, refine_prompts=("Who sits in",))
    other = replace(CAPITAL, prompt="Who sits in")

    with llama.frozen():
        one, two, mean = (
            subject_keys(_task(llama, [[1, 40, 50]], request), UNITS)[0]
            for request in (CAPITAL, other, both)
        )

    assert torch.allclose(mean, (one + two) / 2, atol=1e-6)


def test_of_a_long_reference_no_more_than_its_beginning_is_read(llama: Resident) -> None:
    beginning = [1, *[40] * (CONTEXT_TOKENS - 1)]

    with llama.frozen():
        long = subject_keys(_task(llama, [beginning + [50] * 20]), UNITS)[0]
        cut = subject_keys(_task(llama, [beginning]), UNITS)[0]

    assert torch.equal(long, cut)


def test_a_prompt_that_leaves_no_room_for_a_context_is_read_by_itself(llama: Resident) -> None:
    narrow = replace(llama, encoder=replace(llama.encoder, most_tokens=24))

    with llama.frozen():
        crowded = subject_keys(_task(narrow, [[1] + [40] * 29]), UNITS)[0]
        alone = subject_keys(_task(narrow, []), UNITS)[0]

    assert torch.equal(crowded, alone)


def _felt(resident: Resident, statement: Statement, position: int) -> float:
    """Σ_l ‖∂ log P / ∂ o_l‖² at one position, by differences."""
    step, total = 1e-4, 0.0
    for layer in LAYERS:
        for dimension in range(resident.shape.d_model):
            up, down = (
                _log_share(resident, statement, layer, position, dimension, by)
                for by in (step, -step)
            )
            total += ((up - down) / (2 * step)) ** 2
    return total


@torch.no_grad()
def _log_share(
    resident: Resident, statement: Statement, layer: int, position: int, dimension: int, by: float
) -> float:
    def move(_: object, inputs: object, output: torch.Tensor) -> torch.Tensor:
        moved = output.clone()
        moved[0, position, dimension] += by
        return moved

    ids = torch.tensor([statement.ids[: statement.positions[0] + 1]])
    handle = resident.blocks[layer].down.register_forward_hook(move)
    hidden = resident.decoder(input_ids=ids, use_cache=False).last_hidden_state[0, -1]
    handle.remove()
    share: float = resident.head(hidden).log_softmax(-1)[statement.answers[0]].item()
    return share


def _hidden(resident: Resident, ids: list[int]) -> torch.Tensor:
    """What layer 1's units do at the last position."""
    statement = Statement.of(ids, [0])
    return record(resident, Batch.of([statement], resident.device)).traces[1].hidden[0, 0]


def _task(resident: Resident, references: list[list[int]], request: EditRequest = CAPITAL) -> Task:
    return Task(
        resident=resident,
        request=request,
        ground_truth="Paris",
        own_ids=(),
        ending=None,
        references=references,
        layers_per_pass=3,
    )
