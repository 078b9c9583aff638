"""`palimpsest estimate`: what an edit would take, without a service and without torch."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contract.memory import ModelShape, SequenceShape
from contract.memory.easyedit import easyedit_items
from contract.memory.known import LLAMA_2_7B
from palimpsest.__main__ import run
from palimpsest.cards import budget_of, size_of

ROOT = Path(__file__).parents[2]
LLAMA = ("estimate", "--model", "meta-llama/Llama-2-7b-hf", "--card")


def told(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return run(arguments, environ={}, out=out, err=err), out.getvalue(), err.getvalue()


def as_json(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told(*arguments, "--json")[1])
    return found


def test_a_7b_model_fits_24_gib_with_all_layers_in_one_pass() -> None:
    code, out, _ = told(*LLAMA, "24GiB")

    assert code == 0
    assert "weights             13.5 GB" in out
    assert "admit: 32 of 32 layers a pass" in out
    assert "EasyEdit's own KN would take 38.5 GB" in out


def test_a_smaller_card_takes_fewer_layers_and_a_higher_threshold() -> None:
    admission = as_json(*LLAMA, "15GB", "--method", "paper")["admission"]

    assert admission["decision"] == "admit_reduced"
    assert 1 <= admission["applied"]["layers_per_pass"] < 32
    assert admission["applied"]["adaptive_threshold"] == 0.45
    assert admission["predicted_peak_bytes"] <= admission["budget_bytes"]


def test_8_gb_are_refused_plainly() -> None:
    code, out, _ = told(*LLAMA, "8GB")

    assert code == 1
    assert "reject" in out
    assert "use a smaller model, or spread it over several cards" in out


def test_any_config_json_will_do(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_2_7B | {"num_hidden_layers": 2}))

    of_directory = as_json("estimate", "--model", str(tmp_path), "--card", "24GiB")
    of_file = as_json("estimate", "--model", str(tmp_path / "config.json"), "--card", "24GiB")

    assert of_directory == of_file
    assert of_directory["weights_bytes"] < 2 * 10**9


@pytest.mark.parametrize(
    ("content", "reason"),
    [("{", "is not JSON"), ("[]", "is not a JSON object"), ("{}", "lacks")],
)
def test_a_config_that_is_none_is_reported(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)

    code, _, err = told("estimate", "--model", str(path), "--card", "24GiB")

    assert code == 2
    assert reason in err


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"model_type": "mixtral"}, "'mixtral' is not one of llama, mistral, qwen2, qwen3"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised"),
        ({"num_hidden_layers": "32"}, "num_hidden_layers is '32', not a whole number"),
        ({"hidden_size": -1}, "hidden_size is -1"),
        ({"vocab_size": None}, "vocab_size is None"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0"),
        ({"head_dim": 0.5}, "head_dim is 0.5"),
        ({"num_key_value_heads": True}, "num_key_value_heads is True"),
        ({"torch_dtype": ["float16"]}, "is not one of bfloat16"),
    ],
)
def test_a_config_that_no_edit_could_be_made_of_is_reported(
    tmp_path: Path, changed: dict[str, Any], reason: str
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA_2_7B | changed))

    code, out, err = told("estimate", "--model", str(path), "--card", "24GiB")

    assert (code, out) == (2, "")
    assert reason in err


@pytest.mark.parametrize(
    ("flag", "number", "most"),
    [
        ("--prompt-tokens", 4001, 4000),
        ("--answer-tokens", 1001, 1000),
        ("--refine-prompts", 17, 16),
        ("--protect-prompts", 17, 16),
        ("--questions", 65, 64),
        ("--steps", 301, 300),
        ("--max-neurons", 100_001, 100_000),
    ],
)
def test_what_the_service_would_not_take_is_reported(
    capsys: pytest.CaptureFixture[str], flag: str, number: int, most: int
) -> None:
    code, _, _ = told(*LLAMA, "80GiB", flag, str(number))

    assert code == 2
    assert f"'{number}' is more than {most}" in capsys.readouterr().err
    assert told(*LLAMA, "80GiB", flag, str(most))[0] in (0, 1)


@pytest.mark.parametrize(
    ("changed", "most"), [({}, 4096), ({"model_type": "mistral", "sliding_window": 200}, 200)]
)
def test_a_prompt_for_which_the_model_has_no_room_is_reported(
    tmp_path: Path, changed: dict[str, Any], most: int
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA_2_7B | changed))
    command = ("estimate", "--model", str(path), "--card", "80GiB", "--answer-tokens", "100")

    code, _, err = told(*command, "--prompt-tokens", str(most - 101))

    assert code == 2
    assert f"take up to {most + 1} tokens; the model has room for {most}" in err


def test_prompts_to_protect_and_an_erase_take_what_they_take() -> None:
    def peak(*arguments: str) -> int:
        found: int = as_json(*LLAMA, "80GiB", *arguments)["admission"]["predicted_peak_bytes"]
        return found

    long = ("--prompt-tokens", "900", "--steps", "1")
    assert peak(*long, "--protect-prompts", "16") > peak(*long)
    assert peak(*long, "--operation", "erase") < peak(*long)


def test_an_unknown_name_is_reported_with_those_that_are_known() -> None:
    code, _, err = told("estimate", "--model", "llama-9", "--card", "24GiB")

    assert code == 2
    assert "meta-llama/Llama-2-7b-hf" in err


def test_torch_is_not_needed() -> None:
    script = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from palimpsest.__main__ import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", script, *LLAMA, "24GiB"]

    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize(
    ("text", "n_bytes"), [("24GiB", 24 * 2**30), ("16 gb", 16 * 10**9), ("1.5MB", 1_500_000)]
)
def test_sizes_are_read_as_people_write_them(text: str, n_bytes: int) -> None:
    assert size_of(text) == n_bytes


def test_a_tenth_of_what_the_weights_leave_is_kept_free() -> None:
    assert budget_of(110, weights_bytes=10) == 90
    assert budget_of(5, weights_bytes=10) == 0


@pytest.mark.parametrize(
    ("layers", "answer", "measured_mb"), [(16, 1, 360), (8, 4, 378), (16, 4, 1327), (32, 4, 5041)]
)
def test_easyedits_graphs_are_what_was_measured_of_it(
    layers: int, answer: int, measured_mb: int
) -> None:
    shape = ModelShape(
        n_layer=layers,
        d_model=512,
        d_ff=2048,
        n_head=8,
        n_kv_head=8,
        d_head=64,
        n_vocab=32000,
        tied=False,
    )
    # the measured targets counted their BOS, 40 tokens before them
    _, graphs = easyedit_items(shape, SequenceShape(prompt_tokens=40, answer_tokens=answer - 1))

    assert graphs.n_bytes / 1e6 == pytest.approx(measured_mb, rel=0.15)
