"""What is stored of an edit: it does what the edit did, or it is refused."""

import copy
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load, save
from tiny_models import FAMILIES, Letters

from worker.kn.editor import Editor
from worker.kn.errors import EditError, NoChangeError, NonFiniteError, NotReproducedError
from worker.kn.model.resident import Resident
from worker.kn.request import EditRequest, Method, Operation
from worker.kn.result import EditResult
from worker.kn.write.adapter import WEIGHTS_FILE, Adapter
from worker.kn.write.overlay import OVERLAY_FILE
from worker.kn.write.weights import edited

REQUEST = EditRequest(prompt="ab", target_new="cd", rephrase_prompts=("abab",), method=Method.PAPER)


@pytest.fixture(params=[torch.float32, torch.bfloat16, torch.float16], ids=str)
def editor(request: pytest.FixtureRequest) -> Editor:
    torch.manual_seed(0)
    model = FAMILIES["llama-gqa-tied"]().to(request.param)
    return Editor(Resident.of(model, Letters()), measure_memory=False)


@pytest.fixture
def result(editor: Editor) -> EditResult:
    return editor.edit(REQUEST)


def weights_of(editor: Editor) -> dict[str, torch.Tensor]:
    return copy.deepcopy(editor.resident.model.state_dict())


def test_an_adapter_reads_back_as_it_was_written(editor: Editor, result: EditResult) -> None:
    read = Adapter.read(editor.files(result, "base"))

    assert (read.rank, read.neurons, read.d_ff) == (
        result.adapter.rank,
        result.adapter.neurons,
        result.adapter.d_ff,
    )
    for ours, theirs in zip(result.adapter.writes, read.writes, strict=True):
        assert torch.equal(ours.A, theirs.A)
        assert torch.equal(ours.B, theirs.B)


def test_the_stored_edit_does_what_the_edit_did(editor: Editor, result: EditResult) -> None:
    before = weights_of(editor)

    editor.verify(result, editor.files(result, "base"))

    for name, weight in editor.resident.model.state_dict().items():
        assert torch.equal(weight, before[name]), name


def test_a_verification_is_stopped_in_its_next_pass_and_leaves_the_weights(
    editor: Editor, result: EditResult
) -> None:
    before, files = weights_of(editor), editor.files(result, "base")

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        editor.verify(result, files, between=stop)
    editor.verify(result, files)

    for name, weight in editor.resident.model.state_dict().items():
        assert torch.equal(weight, before[name]), name


def test_the_edited_columns_are_those_of_the_edited_model(
    editor: Editor, result: EditResult
) -> None:
    overlay = load(editor.files(result, "base")[OVERLAY_FILE])

    with edited(editor.resident, result.adapter):
        weights = weights_of(editor)

    names = {name.removesuffix(".units") for name in overlay}
    assert names == {f"model.layers.{w.layer}.mlp.down_proj.weight" for w in result.adapter.writes}
    for name in names:
        columns = weights[name][:, overlay[f"{name}.units"].tolist()]
        assert torch.equal(overlay[name], columns.t())
        assert overlay[name].dtype == editor.resident.dtype


@pytest.mark.parametrize(
    ("factor", "error", "message"),
    [
        (0.0, NoChangeError, "changes no weight"),
        (float("inf"), NonFiniteError, "an edited column is not finite"),
        (-1.0, NotReproducedError, "its edited columns differ from those its adapter gives"),
    ],
)
def test_other_stored_bytes_are_refused(
    editor: Editor, result: EditResult, factor: float, error: type[EditError], message: str
) -> None:
    files = editor.files(result, "base")
    spoilt = {
        name: tensor * factor if "lora_B" in name else tensor
        for name, tensor in load(files[WEIGHTS_FILE]).items()
    }

    with pytest.raises(error, match=message):
        editor.verify(result, files | {WEIGHTS_FILE: save(spoilt)})


def test_an_edit_that_says_something_else_is_refused(editor: Editor, result: EditResult) -> None:
    erased = editor.edit(
        EditRequest(prompt="ab", target_new="cd", operation=Operation.ERASE, method=Method.PAPER)
    )

    with pytest.raises(
        NotReproducedError, match=r"not the one that was made: it answers '.*', not"
    ):
        editor.verify(result, editor.files(erased, "base"))


def test_an_edit_with_the_same_text_of_other_tokens_is_refused(
    editor: Editor, result: EditResult
) -> None:
    first, *others = result.after
    respelled = replace(first, guessed=tuple(token + 1 for token in first.guessed))
    other = replace(result, measurement=replace(result.measurement, after=(respelled, *others)))

    with pytest.raises(NotReproducedError, match="its tokens differ"):
        editor.verify(other, editor.files(result, "base"))
