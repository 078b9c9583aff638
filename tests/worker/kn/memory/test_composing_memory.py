"""What it takes to put edits together: foretold beside observed."""

import pytest
import torch
from tiny_models import Letters
from transformers import LlamaConfig, LlamaForCausalLM

from contract.memory import Chosen, Composing, Estimate, Stage, estimate_composition
from worker.kn import Adapter, Editor, EditRequest, HParams, Method, Resident
from worker.kn.collect.neuron import Neuron
from worker.kn.memory.metering import StorageMeter
from worker.kn.memory.workload import shape_of_adapter

PROMPTS = ("The capital is", "The river of this place is", "The king")


@pytest.fixture(scope="module")
def editor() -> Editor:
    """Wide enough that columns are seen beside what every question takes."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=200,
        hidden_size=256,
        intermediate_size=700,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
    )
    resident = Resident.of(LlamaForCausalLM(config), Letters())
    return Editor(resident, reference_prompts=["a sea", "of words"], measure_memory=False)


def request(prompt: str, neurons: int, probes: int) -> EditRequest:
    return EditRequest(
        prompt=prompt,
        target_new="Rome",
        method=Method.PAPER,
        rephrase_prompts=(prompt + " now and here",) * probes,
        hparams=HParams(steps=2, adaptive_threshold=1e-6, max_neurons=neurons),
    )


def foretold(
    editor: Editor, adapters: list[Adapter], requests: list[EditRequest], pad_rank: int | None
) -> Estimate:
    neurons = frozenset[Neuron]().union(*(adapter.neurons for adapter in adapters))
    work = Composing(
        members=tuple(map(shape_of_adapter, adapters)),
        together=Chosen.of(neuron.layer for neuron in neurons),
        asked=tuple(map(editor.workload, requests)),
        pad_rank=pad_rank,
    )
    return estimate_composition(editor.shape, work)


def bytes_of(stage: Stage, item: str) -> int:
    return sum(found.n_bytes for found in stage.items if found.name == item)


@pytest.mark.parametrize("pad_rank", [None, 64, 512])
@pytest.mark.parametrize(("neurons", "probes"), [(3, 16), (300, 0)])
def test_what_is_foretold_is_enough_and_not_far_from_it(
    editor: Editor, neurons: int, probes: int, pad_rank: int | None
) -> None:
    requests = [request(prompt, neurons, probes) for prompt in PROMPTS]
    adapters = [editor.edit(asked).adapter for asked in requests]

    with StorageMeter() as meter:
        editor.compose(adapters, requests, pad_rank=pad_rank)

    stage = foretold(editor, adapters, requests, pad_rank).stages[0]
    ratio = (stage.n_bytes - bytes_of(stage, "member_adapters")) / meter.peak_bytes
    assert 0.99 <= ratio <= 1.15, stage.moment


@pytest.mark.parametrize("pad_rank", [None, 64])
def test_publishing_is_foretold_with_its_files(editor: Editor, pad_rank: int | None) -> None:
    requests = [request(prompt, 300, 1) for prompt in PROMPTS]
    adapters = [editor.edit(asked).adapter for asked in requests]
    made = editor.compose(adapters, requests, pad_rank=pad_rank)

    with StorageMeter() as meter:
        files = editor.files(made, "base")
        editor.verify(made, dict(files))

    stage = foretold(editor, adapters, requests, pad_rank).stages[1]
    in_files, written = bytes_of(stage, "files"), 3 * sum(map(len, files.values()))
    assert written == pytest.approx(in_files, rel=0.02)
    tensors = stage.n_bytes - in_files - bytes_of(stage, "member_adapters")
    assert 0.99 <= tensors / meter.peak_bytes <= 1.5, stage.moment
