"""Edits that are kept in the resident weights, and taken back out of them."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import FAMILIES, Letters
from torch import Tensor

from worker.kn import (
    AlreadyKeptError,
    Editor,
    EditRequest,
    EditResult,
    HParams,
    Method,
    NoChangeError,
    NotKeptError,
    Resident,
)
from worker.kn.collect.neuron import Scored
from worker.kn.edit import RECIPES
from worker.kn.methods.calibrated import Calibrated
from worker.kn.methods.recipe import Task
from worker.kn.saying import of_kept
from worker.kn.stopwatch import Progress
from worker.kn.write.adapter import Adapter, LayerWrite
from worker.kn.write.weights import edited

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
REQUEST = EditRequest(
    prompt="The capital is",
    target_new="Rome",
    ground_truth="Paris",
    method=Method.EASYEDIT,
    hparams=HParams(steps=1, adaptive_threshold=0.5),
)
PROMPTS = ("The capital is", "Its capital is")


def test_a_kept_edit_goes_on_answering() -> None:
    editor = _editor(torch.float32)
    result = editor.edit(replace(REQUEST, method=Method.CALIBRATED))

    editor.keep(result)

    again = editor.edit(replace(REQUEST, target_new="Oslo", method=Method.CALIBRATED))
    assert editor.kept == (result,)
    assert again.before[0].text == result.after[0].text
    assert again.before[0].text.startswith("Rome")


def test_what_a_kept_edit_says_is_held_by_later_ones() -> None:
    editor = _editor(torch.float32)
    result = editor.edit(
        replace(REQUEST, method=Method.CALIBRATED, refine_prompts=("Its capital is",))
    )

    with editor.applied(result):
        sayings = of_kept(editor.resident, editor.kept)
        work = editor.workload(replace(REQUEST, prompt="A capital is"))

    assert tuple(sayings) == PROMPTS
    assert all("Rome" in editor.resident.tokenizer.decode(ids) for ids in sayings.values())
    assert work.sayings == tuple(map(len, sayings.values()))
    assert of_kept(editor.resident, editor.kept) == {}


def test_an_edit_is_told_what_is_written_and_said_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tasks: list[Task] = []

    class Telling(Calibrated):
        def write(
            self, task: Task, neurons: Sequence[Scored], *, progress: Progress
        ) -> list[LayerWrite]:
            tasks.append(task)
            return super().write(task, neurons, progress=progress)

    monkeypatch.setitem(RECIPES, Method.CALIBRATED, Telling())
    editor = _editor(torch.float32)
    request = replace(REQUEST, method=Method.CALIBRATED)
    first = editor.edit(request, pad_rank=8)
    with editor.applied(first):
        editor.edit(replace(request, target_new="Oslo"))
    said = {request.prompt: "Rome", "Its river is": "Tiber"}
    editor.edit(replace(request, target_new="Oslo"), base=first.adapter, said=said)

    own_rank = first.adapter.own_rank
    assert 0 < own_rank < first.adapter.rank  # zeros are no rank
    assert [task.written_rank for task in tasks] == [0, own_rank, own_rank]
    assert tasks[2].said == [editor.resident.encoder.prompt_ids("Its river is Tiber")]
    assert [task.said for task in tasks[:2]] == [[], []]


def test_the_kept_weights_are_those_that_were_measured() -> None:
    editor, result = _edited(torch.bfloat16)
    with edited(editor.resident, result.adapter):
        measured = _weights(editor)

    editor.keep(result)

    _assert_same(editor, measured)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("taken", [0, 1, 2])
def test_one_of_three_that_overlap_can_be_taken_out_as_if_it_had_never_been(
    dtype: torch.dtype, taken: int
) -> None:
    editor, result = _edited(dtype)
    edits = [_overlapping(result, dtype, seed) for seed in range(3)]
    expected = _editor(dtype)
    for edit in edits[:taken] + edits[taken + 1 :]:
        expected.keep(edit)

    for edit in edits:
        editor.keep(edit)
    editor.revert(edits[taken])

    _assert_same(editor, _weights(expected))
    assert len(editor.kept) == 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_kept", [0, 1, 3])
def test_reverting_all_gives_back_the_pristine_model(dtype: torch.dtype, n_kept: int) -> None:
    editor, result = _edited(dtype)
    before = _weights(editor)
    for seed in range(n_kept):
        editor.keep(_overlapping(result, dtype, seed))
        assert not all(torch.equal(w, before[n]) for n, w in _weights(editor).items())

    editor.revert()

    _assert_same(editor, before)
    assert editor.kept == ()


def test_an_edit_is_kept_only_once() -> None:
    editor, result = _edited(torch.float32)
    editor.keep(result)
    kept = _weights(editor)

    with pytest.raises(AlreadyKeptError):
        editor.keep(result)

    _assert_same(editor, kept)


def test_an_edit_that_is_not_kept_cannot_be_reverted() -> None:
    editor, result = _edited(torch.float32)

    with pytest.raises(NotKeptError):
        editor.revert(result)


def test_an_edit_that_rounds_to_nothing_is_not_kept() -> None:
    editor, result = _edited(torch.float32)
    before = _weights(editor)
    write = LayerWrite(0, (1,), A=torch.full((1, 1), 1e-6), B=torch.full((32, 1), 1e-6))
    nothing = replace(result, adapter=Adapter.of([write], d_ff=48, dtype=torch.float32))

    with pytest.raises(NoChangeError):
        editor.keep(nothing)

    _assert_same(editor, before)
    assert editor.kept == ()


def test_an_edit_whose_write_is_interrupted_is_not_kept() -> None:
    editor, result = _edited(torch.float32)
    edit = _overlapping(result, torch.float32, seed=0)
    before = _weights(editor)
    _interrupt_next_write(editor, layer=2)

    with pytest.raises(InterruptedError):
        editor.keep(edit)

    _assert_same(editor, before)
    assert editor.kept == ()


def test_a_revert_that_is_interrupted_can_be_called_again() -> None:
    editor, result = _edited(torch.float32)
    edit = _overlapping(result, torch.float32, seed=0)
    before = _weights(editor)
    editor.keep(edit)
    _interrupt_next_write(editor, layer=0)

    with pytest.raises(InterruptedError):
        editor.revert(edit)
    assert editor.kept == (edit,)
    editor.revert(edit)

    _assert_same(editor, before)
    assert editor.kept == ()


def test_an_applied_edit_is_taken_back_after_an_exception() -> None:
    editor, result = _edited(torch.bfloat16)
    below = _overlapping(result, torch.bfloat16, seed=0)
    editor.keep(below)
    before = _weights(editor)

    with pytest.raises(RuntimeError, match="in between"), editor.applied(result):
        assert editor.kept == (below, result)
        raise RuntimeError("in between")

    _assert_same(editor, before)
    assert editor.kept == (below,)


def test_measuring_an_edit_leaves_the_kept_ones_where_they_are() -> None:
    editor, result = _edited(torch.bfloat16)
    editor.keep(result)
    kept = _weights(editor)

    editor.edit(replace(REQUEST, target_new="Oslo"))

    _assert_same(editor, kept)


def _interrupt_next_write(editor: Editor, *, layer: int) -> None:
    down = editor.resident.blocks[layer].down
    down.weight = _Interrupting(down.weight.detach().clone(), requires_grad=False)


class _Interrupting(torch.nn.Parameter):
    """A weight whose first change is interrupted after it was made."""

    interrupted = False

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        if not self.interrupted:
            self.interrupted = True
            raise InterruptedError


def _editor(dtype: torch.dtype) -> Editor:
    torch.manual_seed(0)
    model = FAMILIES["llama-mha-untied"]().to(dtype)
    return Editor(Resident.of(model, Letters()), reference_prompts=["a sea", "of words"])


def _edited(dtype: torch.dtype) -> tuple[Editor, EditResult]:
    editor = _editor(dtype)
    return editor, editor.edit(REQUEST)


def _overlapping(result: EditResult, dtype: torch.dtype, seed: int) -> EditResult:
    """An edit of layers 0 and 2 that shares unit 3 with all others, and half of the rest."""
    torch.manual_seed(seed)
    units = (3, 10 + seed, 11 + seed)
    writes = [
        LayerWrite(layer, units, A=torch.randn(seed + 1, 3), B=torch.randn(32, seed + 1))
        for layer in (0, 2)
    ]
    return replace(result, adapter=Adapter.of(writes, d_ff=48, dtype=dtype))


def _weights(editor: Editor) -> Mapping[str, Tensor]:
    return copy.deepcopy(editor.resident.model.state_dict())


def _assert_same(editor: Editor, expected: Mapping[str, Tensor]) -> None:
    for name, weight in editor.resident.model.state_dict().items():
        assert torch.equal(weight, expected[name]), name
