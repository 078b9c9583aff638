"""Prompts with the answers that follow them."""

import torch
from tiny_models import Letters

from worker.kn.model.encoder import Encoder
from worker.kn.model.statement import Batch, Statement, alike

ENCODER = Encoder.of(Letters(), most_tokens=10, n_vocab=131)


def test_the_last_answer_token_is_predicted_and_not_run() -> None:
    statement = Statement.of((1, 7, 8), (20, 21))

    assert statement == Statement(ids=(1, 7, 8, 20), positions=(2, 3), answers=(20, 21))


def test_a_batch_is_padded_on_the_right() -> None:
    batch = Batch.of(
        [Statement.of((1, 5), (6,)), Statement.of((1, 7, 8), (9,))], torch.device("cpu")
    )

    assert batch.ids.tolist() == [[1, 5, 0], [1, 7, 8]]
    assert batch.at_answers(batch.ids).tolist() == [[5], [8]]


def test_items_alike_go_together_a_few_at_a_time() -> None:
    groups = alike(["a", "bb", "c", "d", "ee"], len, most=2)

    assert list(groups) == [[0, 2], [3], [1, 4]]
