"""Memory that runs out in the middle of an edit, wherever that is."""

import gc
import re
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
import torch
from tiny_models import FAMILIES, Letters

from worker.kn import Editor, EditRequest, EditResult, HParams, Method, Resident
from worker.kn.memory.metering import StorageMeter
from worker.kn.write.weights import edited


class Scarce(StorageMeter):
    """Fails where more than so many bytes would be alive, as a device does."""

    def __init__(self, n_bytes: int) -> None:
        super().__init__()
        self._n_bytes = n_bytes

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = self.live_bytes
        made = super().__torch_dispatch__(func, types, args, kwargs)
        if self.live_bytes > max(before, self._n_bytes):
            raise torch.OutOfMemoryError("tried to allocate too much")
        return made


@pytest.fixture(scope="module")
def editor() -> Editor:
    torch.manual_seed(0)
    resident = Resident.of(FAMILIES["llama-gqa-tied"](), Letters())
    return Editor(resident, reference_prompts=["a sea", "of words"])


def request_of(method: Method) -> EditRequest:
    hparams = HParams(steps=5, adaptive_threshold=0.2)
    return EditRequest(prompt="the sea is", target_new="old", method=method, hparams=hparams)


def notes_of(deed: Callable[[], object]) -> str:
    """What was noted of the memory that ran out; the exception is gone, its frames with it."""
    with pytest.raises(torch.OutOfMemoryError) as ran_out:
        deed()
    (note,) = ran_out.value.__notes__
    return note


@pytest.fixture(scope="module", params=list(Method))
def whole(editor: Editor, request: pytest.FixtureRequest) -> tuple[EditRequest, EditResult]:
    """An edit that had room, by each method."""
    asked = request_of(request.param)
    return asked, editor.edit(asked)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_the_weights_are_back_the_memory_is_free_and_what_was_in_use_is_reported(
    editor: Editor, whole: tuple[EditRequest, EditResult], share: float
) -> None:
    request, made = whole
    before = editor.fingerprint()

    with Scarce(int(share * made.observed_peak_bytes)) as scarce:
        told = notes_of(lambda: editor.edit(request))
        gc.collect()

    assert re.fullmatch(r"\d+ bytes above the weights were in use at the most", told)
    assert scarce.live_bytes == 0
    assert editor.fingerprint() == before


def test_the_edit_after_it_is_the_same(
    editor: Editor, whole: tuple[EditRequest, EditResult]
) -> None:
    request, made = whole
    with Scarce(made.observed_peak_bytes // 2):
        notes_of(lambda: editor.edit(request))

    again = editor.edit(request)

    assert again.adapter.files("m") == made.adapter.files("m")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_putting_edits_together_gives_back_as_well(editor: Editor, share: float) -> None:
    requests = [request_of(Method.EASYEDIT), request_of(Method.PAPER)]
    adapters = [editor.edit(request).adapter for request in requests]
    before = editor.fingerprint()
    with StorageMeter() as meter:
        editor.compose(adapters, requests)

    with Scarce(int(share * meter.peak_bytes)) as scarce:
        told = notes_of(lambda: editor.compose(adapters, requests))
        gc.collect()

    assert "bytes above the weights were in use" in told
    assert scarce.live_bytes == 0
    assert editor.fingerprint() == before


def test_giving_the_weights_back_takes_no_memory(editor: Editor) -> None:
    adapter = editor.edit(request_of(Method.PAPER)).adapter
    before = editor.fingerprint()

    with (
        pytest.raises(torch.OutOfMemoryError),
        ExitStack() as full,
        edited(editor.resident, adapter),
    ):
        full.enter_context(Scarce(0))  # and is so until the weights are back
        torch.empty(1)

    assert editor.fingerprint() == before
