"""The README's lines for the engine, run as they stand."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import SIZES
from transformers import LlamaConfig, LlamaForCausalLM

from worker.demo.tokenizer import build_tokenizer

README = Path(__file__).parents[3] / "README.md"


def test_the_five_lines_run_on_a_model_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _save_model(tmp_path / "llama-2-7b-hf")
    monkeypatch.chdir(tmp_path)
    five_lines, more = _engine_blocks()

    names: dict[str, Any] = {}
    exec(five_lines, names)
    exec(more, names)

    assert len(five_lines.splitlines()) == 7  # an import and a blank line before the five
    five, three = capsys.readouterr().out.splitlines()
    assert five.startswith("True ")
    assert three.startswith("True Rome")
    drawn = (tmp_path / "edit.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<svg")
    assert names["result"]._repr_svg_() == drawn


def _engine_blocks() -> list[str]:
    section = README.read_text(encoding="utf-8").split("## The engine alone")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def _save_model(directory: Path) -> None:
    tokenizer = build_tokenizer(["capital", "France", "Paris", "Rome"])
    torch.manual_seed(0)
    sizes = SIZES | {"vocab_size": len(tokenizer), "initializer_range": 0.1}
    LlamaForCausalLM(LlamaConfig(**sizes, num_key_value_heads=2)).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
