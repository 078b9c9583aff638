"""Models that are taught a made-up world, and kept under `bench/out/` once they know it.

    python -m bench.taught [MODELS]      (about four minutes a model on one core)

A model is named by its kind, `plain`, and as `plain:42` where it is to be of another seed.
"""

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from transformers import PreTrainedTokenizerFast

from bench.tokenizers.byte_level import byte_level_tokenizer
from bench.world.facts import N_PHRASING, World
from worker.demo.folder import holds, publish
from worker.demo.making import teach
from worker.demo.training import Example, Progress, Recipe

OUT = Path(__file__).parent / "out"


@dataclass(frozen=True, slots=True)
class Pupil:
    """A world, and how a model is taught it."""

    name: str
    world: World
    recipe: Recipe
    byte_level: int | None = None  # tokens of its vocabulary; None: each word is one, everywhere
    running: bool = False  # each sentence is told after another one, too

    def seeded(self, seed: int) -> "Pupil":
        """The same kind in another world, with other weights to begin from."""
        return replace(
            self,
            name=f"{self.name}:{seed}",
            world=replace(self.world, seed=seed),
            recipe=replace(self.recipe, seed=100 + seed),
        )

    @property
    def examples(self) -> list[Example]:
        alone = [
            Example(fact.prompt(phrasing), fact.object)
            for fact in self.world.facts
            for phrasing in range(N_PHRASING)
        ]
        return [*alone, *self._following(alone)] if self.running else alone

    def _following(self, examples: Sequence[Example]) -> Iterator[Example]:
        """The same, each as a sentence after another one."""
        before = Random(self.recipe.seed).sample(examples, len(examples))
        for (said, answer), (prompt, wanted) in zip(before, examples, strict=True):
            yield Example(f"{said} {answer}. {prompt}", wanted)

    @property
    def tokenizer(self) -> PreTrainedTokenizerFast | None:
        """One of bytes, or None for that of the demo model."""
        if self.byte_level is None:
            return None
        sentences = (f"{prompt} {answer}." for prompt, answer in self.examples)
        return byte_level_tokenizer(sentences, n_vocab=self.byte_level)

    @property
    def digest(self) -> str:
        """A digest of all that the weights are made from."""
        made_from: list[Any] = [asdict(self.recipe), self.examples]
        if self.byte_level is not None:
            made_from.append(self.byte_level)
        return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()

    @property
    def stem(self) -> str:
        """Its name as one of files."""
        return self.name.replace(":", "-")

    @property
    def directory(self) -> Path:
        return OUT / f"{self.stem}-{self.digest[:12]}"


def _recipe(*, seed: int, preceded: float, n_kv_head: int = 6) -> Recipe:
    return Recipe(
        n_layer=8,
        d_model=192,
        d_ff=512,
        n_head=6,
        n_kv_head=n_kv_head,
        init_std=0.07,
        steps=700,
        batch=48,
        preceded=preceded,
        seed=seed,
    )


PUPILS: tuple[Pupil, ...] = (
    Pupil("contexts", World(seed=21), _recipe(seed=121, preceded=0.25)),
    Pupil("plain", World(seed=22), _recipe(seed=122, preceded=0.0)),
    Pupil("short", World(seed=23, longest=1), _recipe(seed=123, preceded=0.0)),
)
"""Taught with texts before a sentence or without; objects of one to four tokens, or of one."""

ALL = ",".join(pupil.name for pupil in PUPILS)

GROUPED = Pupil("grouped", World(seed=24), _recipe(seed=124, preceded=0.0, n_kv_head=2))
"""As `plain`, with two heads of keys and values for six of queries."""

BYTES = Pupil(
    "bytes",
    World(seed=25, longest=2),
    _recipe(seed=125, preceded=0.0, n_kv_head=2),
    byte_level=1000,
)
"""As `grouped`, with a tokenizer of bytes: a word after a space is one token, and at the beginning
of a text another one or several. Objects have up to two words."""

RUNNING = replace(BYTES, name="running", running=True)
"""The same, taught running text: as in any text, what begins a sentence mostly follows a space."""


def make(pupil: Pupil, *, progress: Progress) -> Path:
    """Its directory, filled unless it is already; raises `ForgottenFactsError`."""
    if not holds(pupil.directory, pupil.digest):
        taught = teach(pupil.examples, pupil.recipe, progress=progress, tokenizer=pupil.tokenizer)

        def write(directory: Path) -> None:
            taught.model.save_pretrained(directory)
            taught.tokenizer.save_pretrained(directory)

        publish(pupil.directory, pupil.digest, write=write)
    return pupil.directory


def pupils_named(names: str) -> Iterator[Pupil]:
    """The pupils of a list with commas."""
    kinds = {pupil.name: pupil for pupil in (*PUPILS, GROUPED, BYTES, RUNNING)}
    for name in names.split(","):
        kind, _, seed = name.partition(":")
        yield kinds[kind].seeded(int(seed)) if seed else kinds[kind]


def telling(pupil: Pupil) -> Progress:
    """Tells on stderr how far the lessons are."""
    began = time.perf_counter()

    def tell(done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            seconds = time.perf_counter() - began
            print(f"{pupil.name}: step {done} of {total}, {seconds:.0f} s", file=sys.stderr)

    return tell


def main() -> int:
    """Teach all that are named, one after another."""
    for pupil in pupils_named(sys.argv[1] if len(sys.argv) > 1 else ALL):
        print(make(pupil, progress=telling(pupil)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
