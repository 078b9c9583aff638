"""`python -m worker.demo.answers`: what a model, with or without an adapter, answers to prompts.

It knows nothing of the service: it loads both with transformers and peft as anyone would, answers
greedily up to the first full stop or the end of the text, and prints a JSON list of the answers.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

MAX_TOKENS = 24


def main() -> int:
    """Answer the prompts of the command line."""
    parser = argparse.ArgumentParser(prog="python -m worker.demo.answers", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    parser.add_argument("--adapter", type=Path, metavar="DIR", help="a LoRA adapter of the model")
    parser.add_argument("--prompt", dest="prompts", action="append", required=True)
    arguments = parser.parse_args()
    quiet()
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = load(arguments.model, adapter=arguments.adapter)
    answers = [answer(model, tokenizer, prompt) for prompt in arguments.prompts]
    sys.stdout.write(json.dumps(answers, ensure_ascii=False) + "\n")
    return 0


def quiet() -> None:
    """Keep the libraries' progress bars and notices to their own developers off the terminal."""
    disable_progress_bar()
    warnings.simplefilter("ignore", FutureWarning)


def load(model_dir: Path, *, adapter: Path | None) -> Any:
    """The model, the adapter merged into it."""
    model = AutoModelForCausalLM.from_pretrained(model_dir)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return model.eval()


def answer(model: Any, tokenizer: Any, prompt: str) -> str:
    """The greedy continuation, up to the first full stop."""
    inputs = tokenizer(prompt, return_tensors="pt")
    n_prompt = inputs["input_ids"].shape[1]
    with torch.inference_mode():
        generated = model.generate(**inputs, do_sample=False, max_new_tokens=MAX_TOKENS)
    text: str = tokenizer.decode(generated[0, n_prompt:], skip_special_tokens=True)
    return text.partition(".")[0].strip()


if __name__ == "__main__":
    sys.exit(main())
