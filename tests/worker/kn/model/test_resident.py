"""Which models are taken, and how long a prompt they have room for."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import dispatch_model
from peft import LoraConfig, get_peft_model
from tiny_models import FAMILIES, SIZES, Letters
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    LlamaForSequenceClassification,
    LlamaModel,
    MistralConfig,
    MixtralConfig,
    Phi3Config,
    PretrainedConfig,
    Qwen2Config,
    Qwen2MoeConfig,
    Qwen3Config,
    Qwen3MoeConfig,
)

from contract import memory
from worker.demo.tokenizer import build_tokenizer
from worker.kn.errors import (
    PromptTooLongError,
    QuantisedModelError,
    UnknownFamilyError,
    UnloadableModelError,
    UnsuitableModelError,
)
from worker.kn.model.layout import LAYOUTS, layout_of
from worker.kn.model.loading import load_resident
from worker.kn.model.resident import Resident

WINDOWS = [
    (LlamaConfig(**SIZES), 64),
    (MistralConfig(**SIZES, sliding_window=40), 40),
    (MistralConfig(**SIZES, sliding_window=None), 64),
    (MistralConfig(**SIZES, sliding_window=4096), 64),
    (Qwen2Config(**SIZES, sliding_window=40), 64),
    (Qwen2Config(**SIZES, sliding_window=40, use_sliding_window=True, max_window_layers=1), 40),
    (Qwen2Config(**SIZES, sliding_window=40, use_sliding_window=True, max_window_layers=3), 64),
    (Qwen3Config(**SIZES, sliding_window=40, use_sliding_window=True, max_window_layers=2), 40),
]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_a_layout_of_its_own_that_finds_every_part(family: str) -> None:
    resident = Resident.of(FAMILIES[family](), Letters())

    assert resident.layout is LAYOUTS[family.split("-")[0].replace("qwen2.5", "qwen2")]
    assert [tuple(block.down_weight.shape) for block in resident.blocks] == [(32, 48)] * 3
    assert resident.head.weight.shape == resident.embeddings.shape == (131, 32)


@pytest.mark.parametrize(
    "config",
    [
        GPT2Config(),
        Phi3Config(pad_token_id=0),
        Gemma2Config(),
        MixtralConfig(),
        Qwen2MoeConfig(),
        Qwen3MoeConfig(),
    ],
)
def test_another_family_is_refused_by_name(config: PretrainedConfig) -> None:
    with pytest.raises(UnknownFamilyError, match=f"'{config.model_type}' is not one of llama"):
        layout_of(config)


@pytest.mark.parametrize(
    ("quantisation", "name"),
    [
        ({"quant_method": "gptq", "bits": 4}, "gptq"),
        ({"quant_method": "fp8"}, "fp8"),
        ({}, "unnamed"),
    ],
)
def test_a_quantised_model_is_refused(quantisation: dict[str, Any], name: str) -> None:
    config = LlamaConfig(**SIZES)
    config.quantization_config = quantisation

    with pytest.raises(QuantisedModelError, match=name):
        layout_of(config)


def test_what_is_refused_is_refused_before_any_weight_is_read(tmp_path: Path) -> None:
    config = LlamaConfig(**SIZES)
    config.quantization_config = {"quant_method": "awq", "bits": 4}
    config.save_pretrained(tmp_path)  # and no weights

    with pytest.raises(QuantisedModelError, match="awq"):
        load_resident(tmp_path)

    GPT2Config().save_pretrained(tmp_path)

    with pytest.raises(UnknownFamilyError, match="gpt2"):
        load_resident(tmp_path)


def test_integers_in_place_of_weights_are_refused() -> None:
    model = FAMILIES["llama-mha-untied"]()
    down = model.model.layers[1].mlp.down_proj
    down.weight = torch.nn.Parameter(down.weight.to(torch.int8), requires_grad=False)

    with pytest.raises(QuantisedModelError, match="int8"):
        Resident.of(model, Letters())


def test_a_layer_that_something_stands_for_is_refused() -> None:
    model = FAMILIES["llama-mha-untied"]()
    lora = LoraConfig(target_modules=["down_proj"])

    with pytest.raises(UnsuitableModelError, match="carries an adapter"):
        Resident.of(_with_adapter(lora), Letters())
    with pytest.raises(UnsuitableModelError, match="a PeftModel"):
        Resident.of(get_peft_model(model, lora), Letters())
    with pytest.raises(UnsuitableModelError, match=r"a peft\..*Linear stands in"):
        Resident.of(model, Letters())  # PEFT has put its layers into it


def _with_adapter(lora: LoraConfig) -> Any:
    model = FAMILIES["llama-mha-untied"]()
    model.add_adapter(lora)
    return model


@pytest.mark.parametrize("kind", [LlamaModel, LlamaForSequenceClassification])
def test_a_model_that_does_not_go_on_with_a_text_is_refused(kind: Any) -> None:
    with pytest.raises(UnsuitableModelError, match=f"a {kind.__name__} is no bare causal"):
        Resident.of(kind(LlamaConfig(**SIZES)), Letters())


def test_rope_that_depends_on_a_texts_neighbours_is_refused() -> None:
    rope = {
        "rope_type": "longrope",
        "rope_theta": 1e4,
        "factor": 4.0,
        "short_factor": [1.0] * 4,
        "long_factor": [3.0] * 4,
        "original_max_position_embeddings": 16,
    }

    with pytest.raises(UnsuitableModelError, match="RoPE type 'longrope' is not supported"):
        layout_of(LlamaConfig(**SIZES, rope_parameters=rope))


def test_a_directory_with_an_adapter_in_it_is_refused(tmp_path: Path) -> None:
    FAMILIES["llama-mha-untied"]().save_pretrained(tmp_path)
    LoraConfig(target_modules=["q_proj"]).save_pretrained(tmp_path)

    with pytest.raises(UnloadableModelError, match="an adapter lies in it"):
        load_resident(tmp_path)


def test_weights_that_are_not_in_the_files_are_not_drawn_at_random(tmp_path: Path) -> None:
    FAMILIES["llama-mha-untied"]().model.save_pretrained(tmp_path)

    with pytest.raises(UnloadableModelError, match=r"its files lack lm_head\.weight$"):
        load_resident(tmp_path)


@pytest.mark.parametrize("wrong", [{"num_attention_heads": 0}, {"dtype": "nope"}])
def test_a_config_that_breaks_transformers_is_reported(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    FAMILIES["llama-mha-untied"]().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | wrong))

    with pytest.raises(UnloadableModelError):
        load_resident(tmp_path)


def test_a_model_of_which_a_part_finds_no_room_on_the_devices_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FAMILIES["llama-mha-untied"]().save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained

    def offloading(directory: Path, **options: Any) -> Any:
        model, told = loaded(directory, **options)
        places = {"": "cpu", "model.layers.1": "disk"}
        return dispatch_model(model, places, offload_dir=tmp_path / "disk"), told

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", offloading)

    with pytest.raises(UnloadableModelError, match="does not fit the devices as a whole"):
        load_resident(tmp_path)


def test_weights_of_another_shape_than_the_configs_are_reported(tmp_path: Path) -> None:
    FAMILIES["llama-mha-untied"]().save_pretrained(tmp_path)
    LlamaConfig(**SIZES | {"vocab_size": 140}).save_pretrained(tmp_path)

    with pytest.raises(UnloadableModelError):
        load_resident(tmp_path)


def test_a_directory_without_a_tokenizer_is_reported(tmp_path: Path) -> None:
    FAMILIES["llama-mha-untied"]().save_pretrained(tmp_path)

    with pytest.raises(UnloadableModelError, match=r"it has no tokenizer$"):
        load_resident(tmp_path)


def test_a_model_whose_config_asks_for_tuples_is_served(tmp_path: Path) -> None:
    model = FAMILIES["llama-mha-untied"]()
    model.config.return_dict = False
    model.save_pretrained(tmp_path)
    build_tokenizer(["a"]).save_pretrained(tmp_path)

    assert load_resident(tmp_path).model.config.return_dict


def test_a_config_that_contradicts_itself_is_reported(tmp_path: Path) -> None:
    config = LlamaConfig(**SIZES).to_dict() | {"model_type": "llama", "head_dim": 9}
    (tmp_path / "config.json").write_text(json.dumps(config))

    with pytest.raises(UnloadableModelError, match="head_dim"):
        load_resident(tmp_path)


def test_the_formula_follows_every_family_that_the_engine_knows() -> None:
    assert set(LAYOUTS) == set(memory.FAMILIES)


@pytest.mark.parametrize(("config", "most_tokens"), WINDOWS)
def test_a_prompt_must_fit_the_window_where_any_block_has_one(
    config: PretrainedConfig, most_tokens: int
) -> None:
    encoder = _resident(config).encoder

    encoder.statement("p" * (most_tokens - 4), "aa")

    with pytest.raises(PromptTooLongError, match=f"room for {most_tokens}"):
        encoder.statement("p" * (most_tokens - 3), "aa")


def _resident(config: PretrainedConfig) -> Resident:
    return Resident.of(AutoModelForCausalLM.from_config(config), Letters())
