"""Whether edits take, carry over to another phrasing, and leave other facts alone.

    python -m bench.quality [--dtype float32] [--n 201] [--methods calibrated,…] [--models plain,…]

Models that know a made-up world (see `bench/taught.py`) are edited by each method, given a prompt
with one `refine_prompts`, or a prompt alone; the roles of the three phrasings rotate. All
is judged by exact match of free, greedy generation: the text must be the answer and the full stop
that the models were taught, and nothing more. Locality is the share of prompts whose text does not
change: 20 random facts, 20 of the same relation, and all other facts of the subject, in all
phrasings.
References are facts about subjects that are not measured, in the phrasings of the request.
Holds when `calibrated` meets every bar over all models, with at least 200 edits in each setting.
An edit that the engine refuses counts as failed and harmless. In half precision products are summed
in float32, as on a GPU (`bench/engine/half_precision.py`).
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from math import ceil
from multiprocessing import get_context
from statistics import fmean
from typing import Any

import torch

from bench.engine.half_precision import HALVES, SummedInFloat32
from bench.figures.intervals import Estimate, bootstrap, wilson
from bench.figures.report import report
from bench.taught import ALL, PUPILS, Pupil, make, pupils_named, telling
from bench.world.cases import Case, Setting, Split, check_apart
from bench.world.replies import Baseline, texts
from worker.kn import Editor, EditRequest, EditResult, KnError, Method, Resident
from worker.kn.model.loading import load_resident
from worker.kn.model.wording import begins_with

FEWEST_EDITS = 200
KNOWN = 0.99  # the share of measured facts that a model has to know beforehand
AROUND = ("random", "relation", "subject")
BARS: Mapping[Setting, Mapping[str, float]] = {
    Setting.REFINED: {
        "rewrite": 1.0,
        "held_out": 0.95,
        "random": 0.995,
        "relation": 0.99,
        "subject": 0.97,
    },
    Setting.ALONE: {
        "rewrite": 1.0,
        "held_out": 0.85,
        "random": 0.995,
        "relation": 0.99,
        "subject": 0.95,
    },
}
Row = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What to measure."""

    dtype: str
    n: int
    methods: tuple[Method, ...]
    pupils: tuple[Pupil, ...]
    sampled: bool
    subject: bool

    @property
    def enough(self) -> bool:
        """Whether its figures are worth keeping."""
        return not self.sampled and not self.subject and self.n >= FEWEST_EDITS

    @property
    def whole(self) -> bool:
        """Whether the bar can be judged on this."""
        return self.enough and Method.CALIBRATED in self.methods and self.pupils == PUPILS

    @property
    def name(self) -> str:
        """Of the file of rows; a partial run, or other models, do not replace a full run."""
        names = "-".join(pupil.stem for pupil in self.pupils)
        marks = {
            names: self.pupils != PUPILS,
            "sampled": self.sampled,
            "subject": self.subject,
            "others": Method.CALIBRATED not in self.methods,
            self.dtype: self.dtype != "float32",
            "partial": not self.enough,
        }
        return "-".join(["quality", *(mark for mark, given in marks.items() if given)])


@dataclass(frozen=True)
class Bench:
    """A model with its world, and how to edit it."""

    pupil: Pupil
    resident: Resident
    options: Options

    @cached_property
    def split(self) -> Split:
        return Split(self.pupil.world)

    @cached_property
    def baseline(self) -> Baseline:
        return Baseline.of(self.resident, self.split.sayings())

    def editor(self, phrasings: Sequence[int], case: Case) -> Editor:
        """One whose references are about other subjects, in the phrasings that the case shows."""
        if self.options.sampled:
            return self._sampled
        references = self.split.references(phrasings)
        check_apart(references, case.sayings)
        sentences = [saying.sentence for saying in references]
        return Editor(self.resident, reference_prompts=sentences, measure_memory=False)

    @cached_property
    def _sampled(self) -> Editor:
        return Editor(self.resident, measure_memory=False)

    def rows(self) -> Iterator[Row]:
        """Every case in both settings by every method."""
        unedited = self.baseline.right(self.split.sayings())
        for case in self.split.cases(ceil(self.options.n / len(self.options.pupils))):
            for setting in Setting:
                editor = self.editor(case.phrasings[: setting.n_shown], case)
                for method in self.options.methods:
                    row = self.row(editor, case, setting, method)
                    yield {"model": self.pupil.name, "unedited": unedited} | row

    def row(self, editor: Editor, case: Case, setting: Setting, method: Method) -> Row:
        """One edit, made and measured."""
        request = self.request(case, setting, method)
        known = {
            "setting": setting.value,
            "method": method.value,
            "prompt": request.prompt,
            "phrasings": case.phrasings,
            "target": case.target,
        }
        began = time.perf_counter()
        result, error = _attempt(editor, request)
        seconds = {"edit_s": round(time.perf_counter() - began, 2)}
        with ExitStack() as stack:
            if result:
                stack.enter_context(editor.applied(result))
            return known | seconds | {"error": error} | self._measured(case, setting)

    def request(self, case: Case, setting: Setting, method: Method) -> EditRequest:
        """The request; methods that start from the old answer are given it."""
        prompt, *refining = case.shown(setting)
        return EditRequest(
            prompt=prompt,
            refine_prompts=tuple(refining),
            target_new=case.target,
            subject=case.fact.subject if self.options.subject else None,
            ground_truth=None if method is Method.CALIBRATED else case.fact.object,
            method=method,
        )

    def _measured(self, case: Case, setting: Setting) -> Row:
        shown, held_out = case.shown(setting), case.held_out(setting)
        said = texts(self.resident, [*shown, *held_out])
        exact = [text == f"{case.target}." for text in said]
        begun = [begins_with(text, case.target) for text in said]
        return {
            "said": said,
            "rewrite": exact[0],
            "rewrite_says": begun[0],
            "refining": exact[1 : len(shown)],
            "held_out": exact[len(shown) :],
            "held_out_says": begun[len(shown) :],
        } | {around: fmean(self.baseline.unchanged(case.probes[around])) for around in AROUND}


def _attempt(editor: Editor, request: EditRequest) -> tuple[EditResult | None, str | None]:
    try:
        return editor.edit(request), None
    except KnError as error:
        return None, type(error).__name__


def main() -> int:
    """Edit every model, the models side by side."""
    options = _options()
    with ProcessPoolExecutor(len(options.pupils), mp_context=get_context("spawn")) as pool:
        by_model = pool.map(measured, repeat(options), options.pupils)
        rows = [row for found in by_model for row in found]
    return report(options.name, rows, figures(options.name, rows, whole=options.whole))


def measured(options: Options, pupil: Pupil) -> list[Row]:
    """All rows of one model, on one thread."""
    torch.set_num_threads(1)
    directory = make(pupil, progress=telling(pupil))
    resident = load_resident(directory, dtype=options.dtype, device="cpu")
    rows = []
    with SummedInFloat32() if resident.dtype in HALVES else nullcontext():
        for row in Bench(pupil, resident, options).rows():
            rows.append(row)
            print(_line_of(row), file=sys.stderr)
    return rows


def _line_of(row: Row) -> str:
    names = ("model", "setting", "method", "rewrite", "held_out", *AROUND, "error", "edit_s")
    return " ".join(f"{name}={row[name]}" for name in names)


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32")
    parser.add_argument("--n", type=int, default=201, help="edits in a setting, over all models")
    parser.add_argument("--methods", default=",".join(Method), help="with commas")
    parser.add_argument("--models", default=ALL, help="with commas")
    parser.add_argument("--references", choices=("given", "sampled"), default="given")
    parser.add_argument("--subject", action="store_true", help="the request names its subject")
    given = parser.parse_args()
    return Options(
        dtype=given.dtype,
        n=given.n,
        methods=tuple(map(Method, given.methods.split(","))),
        pupils=tuple(pupils_named(given.models)),
        sampled=given.references == "sampled",
        subject=given.subject,
    )


def figures(name: str, rows: Sequence[Row], *, whole: bool) -> dict[str, Any]:
    """The estimates by method and setting, and whether `calibrated` meets its bars: only a full run
    can, on models that know their facts."""
    unedited = {row["model"]: round(row["unedited"], 4) for row in rows}
    lines = [
        line for method in Method for setting in Setting for line in _lines(rows, method, setting)
    ]
    judged = [line for line in lines if "holds" in line]
    return {
        "bench": name,
        "unedited": unedited,
        "lines": lines,
        "holds": whole
        and all(share >= KNOWN for share in unedited.values())
        and len(judged) == len(Setting)
        and all(line["holds"] for line in judged),
    }


def _lines(rows: Sequence[Row], method: Method, setting: Setting) -> Iterator[dict[str, Any]]:
    mine = [r for r in rows if r["method"] == method.value and r["setting"] == setting.value]
    if not mine:
        return
    whole = estimates(mine)
    line: dict[str, Any] = {"method": method.value, "setting": setting.value, "n": len(mine)}
    line |= {key: estimate.rounded() for key, estimate in whole.items()}
    line |= _beside(mine)
    if method is Method.CALIBRATED:
        missed = [key for key, bar in BARS[setting].items() if whole[key].mean < bar]
        line |= {"missed": missed, "holds": not missed and len(mine) >= FEWEST_EDITS}
    yield line


def estimates(rows: Sequence[Row]) -> dict[str, Estimate]:
    """The means that are judged, with their intervals."""
    per_edit = [fmean(row["held_out"]) for row in rows]
    independent = all(len(row["held_out"]) == 1 for row in rows)
    return {
        "rewrite": wilson([row["rewrite"] for row in rows]),
        "held_out": wilson([share == 1 for share in per_edit])
        if independent
        else bootstrap(per_edit),
    } | {around: bootstrap([row[around] for row in rows]) for around in AROUND}


def _beside(rows: Sequence[Row]) -> dict[str, Any]:
    """Figures that are not judged: by phrasing, by model, by a looser measure, and times."""
    held = [
        (phrasing, exact)
        for row in rows
        for phrasing, exact in zip(
            row["phrasings"][-len(row["held_out"]) :], row["held_out"], strict=True
        )
    ]
    models = list(dict.fromkeys(row["model"] for row in rows))
    return {
        "rewrite_says": _mean(row["rewrite_says"] for row in rows),
        "held_out_says": _mean(fmean(row["held_out_says"]) for row in rows),
        "held_out_by_phrasing": {
            phrasing: _mean(exact for p, exact in held if p == phrasing)
            for phrasing in sorted({p for p, _ in held})
        },
        "by_model": {
            model: {
                key: round(estimate.mean, 4)
                for key, estimate in estimates([r for r in rows if r["model"] == model]).items()
            }
            for model in models
        },
        "refused": sum(row["error"] is not None for row in rows),
        "edit_s": _mean(row["edit_s"] for row in rows),
    }


def _mean(values: Iterable[float]) -> float:
    return round(fmean(values), 4)


if __name__ == "__main__":
    sys.exit(main())
