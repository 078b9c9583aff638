"""Whether a hundred edits hold together on one model, each made on top of those before.

    python -m bench.sequence [--n 100] [--models contexts] [--dtype float32] [--protect 0]
                             [--way kept|chained|composed]

Every edit is kept before the next is made: different facts, default settings, in two runs on the
unedited model, one from prompts alone, one with a refining prompt for each. `--way chained` makes
each on the adapter of the one before, as the service does with a request's `base`, and `composed`
each on the bare model and puts them together, as `POST /checkpoints` does. At the end all is judged
by exact match of free generation: how many edits still hold, how many held-out phrasings follow,
and how many prompts of facts that were never edited, in every phrasing, still bring the same text.
References are facts about subjects that are not measured, in the phrasings of the requests.
`--protect N` adds N prompts of earlier edits, drawn at random, to each request's `protect_prompts`.
Holds when in both settings at least 0.95 of at least 100 edits still hold, and at least 0.95 of at
least 300 prompts did not change, on every model.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from random import Random
from statistics import fmean
from typing import Any

from bench.figures.intervals import bootstrap, wilson
from bench.figures.report import report
from bench.taught import PUPILS, Pupil, make, pupils_named, telling
from bench.world.cases import Saying, Setting, Split, check_apart
from bench.world.facts import N_PHRASING, Fact
from bench.world.replies import Baseline, texts
from worker.kn import Editor, EditRequest, EditResult, KnError, Resident
from worker.kn.evaluate.questions import EDITED
from worker.kn.model.loading import load_resident

BAR = 0.95
FEWEST_EDITS = 100
FEWEST_PROMPTS = 300
LOOK_EVERY = 20

Row = dict[str, Any]


class Way(StrEnum):
    """How edits are put on top of each other."""

    KEPT = "kept"
    CHAINED = "chained"
    COMPOSED = "composed"


@dataclass(frozen=True, slots=True)
class Edit:
    """A fact with its new object; the first phrasings are shown, the others held out."""

    fact: Fact
    target: str

    def shown(self, setting: Setting) -> list[str]:
        return [self.fact.prompt(phrasing) for phrasing in range(setting.n_shown)]

    def held_out(self, setting: Setting) -> list[str]:
        return [self.fact.prompt(p) for p in range(setting.n_shown, N_PHRASING)]


@dataclass(frozen=True)
class Course:
    """The edits of a world, in order, and the facts that they should leave alone."""

    split: Split
    n: int

    @cached_property
    def edits(self) -> tuple[Edit, ...]:
        cases = self.split.cases(self.n)
        return tuple(Edit(case.fact, case.target) for case in cases)

    @cached_property
    def bystanders(self) -> list[list[Saying]]:
        """The facts never edited, each in all phrasings."""
        edited = {edit.fact for edit in self.edits}
        left = [fact for fact in self.split.measured if fact not in edited]
        return [[Saying(fact, p) for p in range(N_PHRASING)] for fact in left]


@dataclass(frozen=True)
class Run:
    """One model, edited again and again."""

    resident: Resident
    course: Course
    setting: Setting
    n_protected: int
    way: Way = Way.KEPT
    said: dict[str, str] = field(default_factory=dict)  # by prompt, where edits are chained

    @cached_property
    def editor(self) -> Editor:
        references = self.course.split.references(range(self.setting.n_shown))
        check_apart(references, self.course.split.sayings())
        sentences = [saying.sentence for saying in references]
        return Editor(self.resident, reference_prompts=sentences, measure_memory=False)

    def rows(self) -> Iterator[Row]:
        """A row for each edit, as it stands at the end, and for each fact that was not edited."""
        baseline = Baseline.of(self.resident, self.course.split.sayings())
        made = [self._make(i) for i in range(self.course.n)]
        kind = {"setting": self.setting.value}
        edits = self.course.edits
        for edit, row, holds in zip(edits, made, self._hold(edits), strict=True):
            yield kind | row | {"held_out": self._follows(edit), "holds": holds}
        subjects = {edit.fact.subject for edit in edits}
        for sayings in self.course.bystanders:
            fact = sayings[0].fact
            known = {"bystander": list(fact), "subject_edited": fact.subject in subjects}
            yield kind | known | {"stayed": baseline.unchanged(sayings)}

    def _make(self, i: int) -> Row:
        """Make and keep the edit; a refused one is not kept."""
        request, began = self._request(i), time.perf_counter()
        try:
            self._add(request)
            error = None
        except KnError as refused:
            error = type(refused).__name__
        row = {
            "i": i,
            "prompt": request.prompt,
            "target": request.target_new,
            "edit_s": round(time.perf_counter() - began, 2),
            "error": error,
            "held_at_once": self._hold(self.course.edits[i : i + 1])[0],
        }
        self._tell(i, row)
        return row

    def _add(self, request: EditRequest) -> None:
        """Make the edit, and leave it in the weights with those before."""
        editor, below = self.editor, self.editor.kept
        match self.way:
            case Way.KEPT:
                editor.keep(editor.edit(request))
            case Way.COMPOSED:
                with self._bare():
                    result = editor.edit(request)
                editor.keep(result)
            case Way.CHAINED:
                with self._bare():
                    base = below[0].adapter if below else None
                    result = editor.edit(request, base=base, said=self.said)
                editor.revert()
                editor.keep(result)
                self.said.update(_said_by(result))

    @contextmanager
    def _bare(self) -> Iterator[None]:
        """Within the block the weights are the model's own."""
        kept = self.editor.kept
        self.editor.revert()
        try:
            yield
        finally:
            for edit in kept:
                self.editor.keep(edit)

    def _tell(self, i: int, row: Row) -> None:
        print(row, file=sys.stderr)
        if (i + 1) % LOOK_EVERY == 0:
            share = fmean(self._hold(self.course.edits[: i + 1]))
            print(f"{self.setting}: {share:.3f} of {i + 1} edits hold", file=sys.stderr)

    def _request(self, i: int) -> EditRequest:
        edit = self.course.edits[i]
        prompt, *refining = edit.shown(self.setting)
        before = [earlier.shown(self.setting)[0] for earlier in self.course.edits[:i]]
        protected = Random(i).sample(before, min(self.n_protected, len(before)))
        return EditRequest(
            prompt=prompt,
            target_new=edit.target,
            refine_prompts=tuple(refining),
            protect_prompts=tuple(protected),
        )

    def _hold(self, edits: Sequence[Edit]) -> list[bool]:
        said = texts(self.resident, [edit.shown(self.setting)[0] for edit in edits])
        return [text == f"{edit.target}." for text, edit in zip(said, edits, strict=True)]

    def _follows(self, edit: Edit) -> list[bool]:
        said = texts(self.resident, edit.held_out(self.setting))
        return [text == f"{edit.target}." for text in said]


def _said_by(result: EditResult) -> Iterator[tuple[str, str]]:
    for answer in result.measurement.answers():
        if answer["role"] in EDITED:
            yield answer["prompt"], answer["after"]


def main() -> int:
    """Both settings on every model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100, help="edits in sequence")
    parser.add_argument("--models", default=PUPILS[0].name, help="with commas")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32")
    parser.add_argument("--settings", default="alone,refined", help="with commas")
    parser.add_argument("--protect", type=int, default=0, help="prompts of earlier edits")
    parser.add_argument("--way", type=Way, choices=list(Way), default=Way.KEPT)
    options = parser.parse_args()
    rows = []
    for pupil in pupils_named(options.models):
        for row in _rows(pupil, options):
            rows.append({"model": pupil.name} | row)
    return report(_name(options), rows, figures(_name(options), rows, whole=_whole(options)))


def _rows(pupil: Pupil, options: argparse.Namespace) -> Iterator[Row]:
    directory = make(pupil, progress=telling(pupil))
    for setting in map(Setting, options.settings.split(",")):
        resident = load_resident(directory, dtype=options.dtype, device="cpu")
        course = Course(Split(pupil.world), options.n)
        yield from Run(resident, course, setting, options.protect, options.way).rows()


def _name(options: argparse.Namespace) -> str:
    """Of the file of rows; a partial run does not replace a full one."""
    marks = {
        f"protect{options.protect}": options.protect > 0,
        options.dtype: options.dtype != "float32",
        options.way: options.way is not Way.KEPT,
        "partial": not _whole(options),
    }
    return "-".join(["sequence", *(mark for mark, given in marks.items() if given)])


def _whole(options: argparse.Namespace) -> bool:
    every = set(Setting) <= set(map(Setting, options.settings.split(",")))
    return options.n >= FEWEST_EDITS and options.models == PUPILS[0].name and every


def figures(name: str, rows: Sequence[Row], *, whole: bool) -> dict[str, Any]:
    """The figures of each sequence, and whether all meet the bars: only a full run can."""
    runs = dict.fromkeys((row["model"], row["setting"]) for row in rows)
    lines = [
        {"model": model, "setting": setting}
        | _line([row for row in rows if (row["model"], row["setting"]) == (model, setting)])
        for model, setting in runs
    ]
    holds = whole and all(line["holds"] for line in lines)
    return {"bench": name, "lines": lines, "holds": holds}


def _line(rows: Sequence[Row]) -> dict[str, Any]:
    edits = [row for row in rows if "i" in row]
    bystanders = [row for row in rows if "bystander" in row]
    hold = wilson([row["holds"] for row in edits])
    stay = bootstrap([fmean(row["stayed"]) for row in bystanders])
    n_prompt = sum(len(row["stayed"]) for row in bystanders)
    enough = len(edits) >= FEWEST_EDITS and n_prompt >= FEWEST_PROMPTS
    return {
        "edits": len(edits),
        "hold": hold.rounded(),
        "held_at_once": fmean(row["held_at_once"] for row in edits),
        "held_out": bootstrap([fmean(row["held_out"]) for row in edits]).rounded(),
        "prompts": n_prompt,
        "stay": stay.rounded(),
        "stay_where_subject_edited": _stay(bystanders, subject_edited=True),
        "stay_elsewhere": _stay(bystanders, subject_edited=False),
        "refused": sum(row["error"] is not None for row in edits),
        "edit_s": round(fmean(row["edit_s"] for row in edits), 2),
        "holds": enough and min(hold.mean, stay.mean) >= BAR,
    }


def _stay(bystanders: Sequence[Row], *, subject_edited: bool) -> float | None:
    stayed = [
        same
        for row in bystanders
        if row["subject_edited"] == subject_edited
        for same in row["stayed"]
    ]
    return round(fmean(stayed), 4) if stayed else None


if __name__ == "__main__":
    sys.exit(main())
