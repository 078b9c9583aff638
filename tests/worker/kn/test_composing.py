"""Edits stacked, taken apart, and made on top of each other, against PEFT itself."""

import copy
import itertools
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from tiny_models import FAMILIES, Letters

from worker.kn.composing import Composition
from worker.kn.editor import Editor
from worker.kn.errors import BadRequestError
from worker.kn.model.resident import Resident
from worker.kn.request import EditRequest, HParams, Method, Operation
from worker.kn.write.adapter import Adapter
from worker.kn.write.stacking import part, stacked
from worker.kn.write.weights import edited

REQUESTS = (
    EditRequest(prompt="ab", target_new="cd", method=Method.PAPER),
    EditRequest(prompt="xyz", target_new="q", method=Method.PAPER, rephrase_prompts=("xyxy",)),
    EditRequest(
        prompt="mno",
        target_new="p",
        operation=Operation.ERASE,
        method=Method.PAPER,
        hparams=HParams(max_neurons=5),
    ),
)


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16, torch.float16], ids=str)
def editor(request: pytest.FixtureRequest) -> Editor:
    torch.manual_seed(0)
    model = FAMILIES["llama-gqa-tied"]().to(request.param)
    return Editor(Resident.of(model, Letters()), measure_memory=False)


@pytest.fixture(scope="module")
def adapters(editor: Editor) -> list[Adapter]:
    return [editor.edit(request).adapter for request in REQUESTS]


def weights_of(editor: Editor) -> dict[str, torch.Tensor]:
    return copy.deepcopy(editor.resident.model.state_dict())


def same(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(weight, others[name]) for name, weight in some.items())


def merged(editor: Editor, files: dict[str, bytes], directory: Path) -> dict[str, torch.Tensor]:
    """What PEFT makes of the pristine model and an adapter's files."""
    for name, content in files.items():
        (directory / name).write_bytes(content)
    pristine = copy.deepcopy(editor.resident.model)
    return PeftModel.from_pretrained(pristine, directory).merge_and_unload().state_dict()


def composed(editor: Editor, adapters: list[Adapter]) -> Composition:
    return editor.compose(adapters, REQUESTS[: len(adapters)])


def test_the_stacked_model_is_what_peft_merges(
    editor: Editor, adapters: list[Adapter], tmp_path: Path
) -> None:
    composition = composed(editor, adapters)

    peft = merged(editor, editor.files(composition, "base"), tmp_path)

    assert composition.adapter.rank == sum(adapter.rank for adapter in adapters)
    with edited(editor.resident, composition.adapter):
        assert same(weights_of(editor), peft)


def test_every_part_comes_out_of_the_stack_as_it_went_in(adapters: list[Adapter]) -> None:
    whole = stacked(adapters)

    ends = list(itertools.accumulate((adapter.rank for adapter in adapters), initial=0))
    for adapter, (first, end) in zip(adapters, itertools.pairwise(ends), strict=True):
        own = part(whole, first=first, end=end)
        assert own.neurons == adapter.neurons
        for ours, theirs in zip(own.writes, adapter.writes, strict=True):
            assert torch.equal(ours.A, theirs.A)
            assert torch.equal(ours.B, theirs.B)


def test_one_edit_alone_is_that_edit(editor: Editor, adapters: list[Adapter]) -> None:
    with edited(editor.resident, adapters[0]):
        alone = weights_of(editor)

    with edited(editor.resident, stacked(adapters[:1])):
        assert same(weights_of(editor), alone)


def test_nothing_and_what_is_of_another_model_are_refused(
    editor: Editor, adapters: list[Adapter]
) -> None:
    wider = Adapter(adapters[0].writes, d_ff=adapters[0].d_ff + 16)

    for composed_of in ([], [adapters[0], wider]):
        with pytest.raises(BadRequestError):
            editor.compose(composed_of, REQUESTS[: len(composed_of)])


def test_each_request_is_asked_of_the_model_that_has_all(
    editor: Editor, adapters: list[Adapter]
) -> None:
    told: list[tuple[str, int, int]] = []

    composition = editor.compose(adapters, REQUESTS, watch=lambda *news: told.append(news))

    assert [retest.measured.questions[0].prompt for retest in composition.retests] == [
        "ab",
        "xyz",
        "mno",
    ]
    assert len(composition.retests[1].measured.after) == 2
    assert told == [("evaluate", done, 3) for done in range(4)]
    first = composition.as_json()[0]
    assert first["before"] == composition.retests[0].measured.before[0].text
    assert first["outcome"] in ("held", "not_held")


def test_composing_leaves_the_weights_as_they_were(editor: Editor, adapters: list[Adapter]) -> None:
    before = weights_of(editor)

    composition = composed(editor, adapters)
    editor.verify(composition, editor.files(composition, "base"))

    assert same(weights_of(editor), before)


def test_a_chained_edit_holds_its_base_and_itself(
    editor: Editor, adapters: list[Adapter], tmp_path: Path
) -> None:
    before, base = weights_of(editor), adapters[2]

    result = editor.edit(REQUESTS[0], base=base)

    own = part(result.adapter, first=base.rank, end=result.adapter.rank)
    peft = merged(editor, editor.files(result, "base"), tmp_path)
    assert part(result.adapter, first=0, end=base.rank).neurons == base.neurons
    assert own.neurons <= {scored.neuron for scored in result.neurons}
    assert same(weights_of(editor), before)
    with edited(editor.resident, result.adapter):
        assert same(weights_of(editor), peft)


def test_a_chained_edit_is_measured_from_its_base_on(
    editor: Editor, adapters: list[Adapter]
) -> None:
    base = adapters[2]
    with edited(editor.resident, base):
        said = editor.edit(REQUESTS[0]).before

    result = editor.edit(REQUESTS[0], base=base)

    assert result.before == said


def test_a_composition_may_be_filled_up(
    editor: Editor, adapters: list[Adapter], tmp_path: Path
) -> None:
    composition = editor.compose(adapters[:2], REQUESTS[:2], pad_rank=8)

    peft = merged(editor, editor.files(composition, "base"), tmp_path)
    assert (composition.adapter.rank, composition.adapter.n_padding) == (8, 6)
    editor.verify(composition, editor.files(composition, "base"))
    with edited(editor.resident, composition.adapter):
        assert same(weights_of(editor), peft)
