"""`python -m worker.kn edit`, on a tiny model saved to disk."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from tiny_models import SIZES
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from worker.demo.tokenizer import build_tokenizer
from worker.kn import Editor
from worker.kn.__main__ import main

GOOD = {"prompt": "The capital of France is", "ground_truth": ["Paris"], "target_new": "Rome"}
FIELDS = {
    "status",
    "outcome",
    "method",
    "neurons",
    "before",
    "after",
    "metrics",
    "timings",
    "memory",
    "error",
    "checkpoint",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("model")
    tokenizer = build_tokenizer(["capital", "France", "Paris", "Rome"])
    torch.manual_seed(0)
    sizes = SIZES | {"vocab_size": len(tokenizer), "initializer_range": 0.1}
    LlamaForCausalLM(LlamaConfig(**sizes, num_key_value_heads=2)).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def test_each_request_is_answered_by_a_line_failed_ones_too(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [
        GOOD,
        {"prompt": "no target"},
        GOOD | {"hparams": {"steps": 0}},
        "not an object",
        GOOD | {"method": "\ud800"},
    ]

    status, lines = _run(model, records, tmp_path, capsys)

    assert status == 1
    assert [line["status"] for line in lines] == ["succeeded", *["failed"] * 4]
    assert [(line["error"] or {}).get("code") for line in lines[1:]] == ["invalid_request"] * 4
    assert all(line.keys() >= FIELDS for line in lines)


def test_an_edit_that_breaks_ends_no_other(
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edit = Editor.edit
    broken: list[Exception] = [
        RuntimeError("shapes differ"),
        MemoryError(),
        torch.OutOfMemoryError("Allocation on device 0 would exceed allowed memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 7 bytes."),
    ]

    def breaking(*given: Any, **options: Any) -> Any:
        if broken:
            raise broken.pop(0)
        return edit(*given, **options)

    monkeypatch.setattr(Editor, "edit", breaking)

    status, lines = _run(model, [GOOD] * 5, tmp_path, capsys)

    codes = [line["error"]["code"] for line in lines[:4]]
    assert codes == ["internal", "gpu_oom", "gpu_oom", "gpu_oom"]
    assert (status, lines[4]["status"]) == (1, "succeeded")


def test_the_adapter_gives_the_answer_that_was_told(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, (line,) = _run(model, [GOOD], tmp_path, capsys)

    base = AutoModelForCausalLM.from_pretrained(model)
    peft = PeftModel.from_pretrained(base, line["checkpoint"]).merge_and_unload()
    tokenizer = build_tokenizer(["capital", "France", "Paris", "Rome"])
    ids = torch.tensor([tokenizer.encode(GOOD["prompt"])])
    said = peft.generate(ids, do_sample=False, max_new_tokens=12, pad_token_id=0)[0]

    assert (status, line["outcome"]) == (0, "held")
    text = tokenizer.decode(said[ids.shape[1] :], skip_special_tokens=True)
    assert text.strip().split("\n")[0].strip() == line["after"]


def test_a_picture_is_drawn_beside_the_adapter_where_one_is_asked_for(
    model: Path, tmp_path: Path
) -> None:
    (tmp_path / "requests.json").write_text(json.dumps([GOOD]))

    main(_arguments(model, tmp_path))
    assert not (tmp_path / "out/edit-0000/edit.svg").exists()
    main([*_arguments(model, tmp_path), "--pictures"])

    drawn = (tmp_path / "out/edit-0000/edit.svg").read_text(encoding="utf-8")
    assert "The capital of France is" in drawn


@pytest.mark.parametrize("content", ["{}", "nonsense", '{"prompt": "a"}', "[" * 200_000])
def test_a_file_that_is_no_list_of_requests_is_a_usage_error(
    model: Path, tmp_path: Path, content: str
) -> None:
    (tmp_path / "requests.json").write_text(content)

    assert main(_arguments(model, tmp_path)) == 2


def test_a_model_that_is_not_there_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requests.json").write_text(json.dumps([GOOD]))

    assert main(_arguments(tmp_path / "nowhere", tmp_path)) == 2
    told = f"error: no model can be loaded from {tmp_path}/nowhere: it has no config.json\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"{}"),
        ("config.json", b"garbled"),
        ("config.json", b'{"model_type": "unheard_of"}'),
        ("model.safetensors", b"cut off"),
        ("model.safetensors", None),
        ("tokenizer.json", b"garbled"),
        ("tokenizer.json", None),
    ],
)
def test_a_model_that_is_broken_is_a_usage_error_of_one_line(
    model: Path,
    tmp_path: Path,
    name: str,
    content: bytes | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "requests.json").write_text(json.dumps([GOOD]))
    shutil.copytree(model, tmp_path / "broken")
    (tmp_path / "broken" / name).unlink()
    if content is not None:
        (tmp_path / "broken" / name).write_bytes(content)

    assert main(_arguments(tmp_path / "broken", tmp_path)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: no model can be loaded from {tmp_path}/broken: ")


def test_where_adapters_cannot_be_saved_no_edit_is_begun(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requests.json").write_text(json.dumps([GOOD]))
    (tmp_path / "out").touch()

    assert main(_arguments(model, tmp_path)) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}/out: File exists\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_lines_for_which_there_is_no_room_are_a_failure(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "requests.json").write_text(json.dumps([GOOD, GOOD]))

    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(_arguments(model, tmp_path)) == 1

    assert "the lines cannot be written: No space left on device" in capsys.readouterr().err
    assert not (tmp_path / "out/edit-0001").exists()


@pytest.mark.parametrize("option", ["--layers-per-pass", "--threads"])
@pytest.mark.parametrize("value", ["-1", "0", "two"])
def test_a_number_that_is_not_positive_is_a_usage_error(
    model: Path, tmp_path: Path, option: str, value: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*_arguments(model, tmp_path), f"{option}={value}"])

    assert ended.value.code == 2


@pytest.mark.parametrize("device", ["cuda:97", "nonsense", "meta"])
def test_a_device_that_is_not_there_is_a_usage_error(
    model: Path, tmp_path: Path, device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requests.json").write_text(json.dumps([GOOD]))

    assert main([*_arguments(model, tmp_path), "--device", device]) == 2
    assert f"device '{device}' cannot be used" in capsys.readouterr().err


def _run(
    model: Path, records: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[dict[str, Any]]]:
    (tmp_path / "requests.json").write_text(json.dumps(records))
    status = main(_arguments(model, tmp_path))
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def _arguments(model: Path, tmp_path: Path) -> list[str]:
    (tmp_path / "references.txt").write_text("a sea\n\nof words\n")
    options = {
        "--model": model,
        "--requests": tmp_path / "requests.json",
        "--out": tmp_path / "out",
        "--reference": tmp_path / "references.txt",
        "--dtype": "float32",
    }
    return ["edit", *(str(part) for option in options.items() for part in option)]
