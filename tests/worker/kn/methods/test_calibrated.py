"""What the default method's write is fitted to."""

import pytest
import torch
from tiny_tasks import tiny_task

from worker.kn import Resident
from worker.kn.collect.neuron import Neuron, Scored
from worker.kn.methods import spelling
from worker.kn.methods.calibrated import Calibrated
from worker.kn.methods.search import Search
from worker.kn.methods.subject import Subject
from worker.kn.methods.whitening import whitened
from worker.kn.model.encoder import Encoder
from worker.kn.write.adapter import LayerWrite

UNITS = {0: list(range(20)), 1: list(range(10, 25))}
CHOSEN = [Scored(Neuron(layer, unit), 1.0) for layer, units in UNITS.items() for unit in units]


def test_a_write_is_fitted_to_both_spellings_of_the_whole_name(
    llama: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spelling, "_next", lambda *_: 0)  # the model goes on alike
    monkeypatch.setattr(Subject, "of", lambda *_: Subject(word="no such", name="capital"))
    task = tiny_task(llama)
    other = llama.encoder.statement("Thecapital is", "Rome")

    made = _written(llama)

    with llama.frozen():
        both = whitened(task, [[*task.new, other]], UNITS).directions
        given = whitened(task, [task.new], UNITS).directions
    for write, fitted, unfit in zip(made, both, given, strict=True):
        assert torch.equal(write.A, fitted.A)
        assert not torch.equal(write.A, unfit.A)


def test_a_write_is_fitted_to_the_prompt_alone_where_the_model_goes_on_otherwise(
    llama: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spelling, "_next", lambda _, ids: len(ids))
    task = tiny_task(llama)

    made = _written(llama)

    with llama.frozen():
        given = whitened(task, [task.new], UNITS).directions
    assert all(torch.equal(w.A, d.A) for w, d in zip(made, given, strict=True))


def test_where_a_word_has_one_spelling_nobody_asks_for_the_subject(
    llama: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Subject, "of", lambda *_: pytest.fail("it was asked"))
    monkeypatch.setattr(Encoder, "respells", False)

    assert len(_written(llama)) == len(UNITS)


def _written(resident: Resident) -> list[LayerWrite]:
    recipe = Calibrated(Search(most_steps=1))
    with resident.frozen():
        return recipe.write(tiny_task(resident), CHOSEN, progress=lambda done, total: None)
