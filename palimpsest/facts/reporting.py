"""What a person, or a script, is told while facts are delivered."""

import json
from collections import Counter

from contract.wire.views import EditView
from palimpsest.facts.datasets import Form
from palimpsest.facts.delivery import Accepted, Ended, Refused, Step
from palimpsest.facts.facts import Facts
from palimpsest.facts.summary import Summary
from palimpsest.terminal.console import Console
from palimpsest.terminal.reports import activity, ending
from palimpsest.terminal.tables import shorten, with_breaks

NAMED_ALIKE = 5
"""How many records are named that are left out for the same reason."""


class DeliveryReport:
    """A line for each fact as it comes to its end, then the summary."""

    def __init__(self, facts: Facts, console: Console, *, as_json: bool) -> None:
        self._facts = facts
        self._console = console
        self._as_json = as_json
        self._digits = max((len(str(fact.index)) for fact in facts.usable), default=1)
        self._accepted: list[EditView] = []
        self._ended: list[EditView] = []
        self._refused: list[str] = []

    def tell_left_out(self) -> None:
        """Name the records that cannot be requests, and what is not understood of the others."""
        for form, n_record in self._facts.forms.items():
            if form is not Form.PLAIN:
                self._console.note(f"{n_record} read as {form.value}")
        if self._as_json:
            for left in self._facts.left_out:
                told = {"index": left.index, "left_out": left.reason}
                self._console.result(json.dumps(told, ensure_ascii=False))
        else:
            self._name_left_out()
        if self._facts.kept_as_metadata:
            names = ", ".join(sorted(self._facts.kept_as_metadata))
            self._console.note(f"not fields of a request, kept as metadata: {names}")

    def _name_left_out(self) -> None:
        """Each record and why; of many with the same reason the first, and how many follow."""
        times: Counter[str] = Counter()
        for left in self._facts.left_out:
            times[left.reason] += 1
            if times[left.reason] <= NAMED_ALIKE:
                self._console.note(f"record {left.index} is left out: {left.reason}")
        for reason, n_record in times.items():
            if n_record > NAMED_ALIKE:
                self._console.note(f"and {n_record - NAMED_ALIKE} more: {reason}")

    def watch(self, edit: EditView) -> None:
        """Show what the edit that is followed is at."""
        done = f"{len(self._ended) + len(self._refused)}/{len(self._facts.usable)} done"
        self._console.progress(
            f"{done} · {activity(edit)} · “{shorten(with_breaks(edit.prompt), 40)}”"
        )

    def tell(self, step: Step, *, last: bool) -> None:
        """Take note of a step; `last` when nothing more will be told of an accepted edit."""
        match step:
            case Accepted(index, edit):
                self._accepted.append(edit)
                self._console.progress(f"{len(self._accepted)}/{len(self._facts.usable)} posted")
                if last:
                    self._result(index, edit)
            case Ended(index, edit):
                self._ended.append(edit)
                self._result(index, edit)
            case Refused(index, error):
                self._refused.append(error.code)
                told = {"index": index, "code": error.code, "detail": error.detail}
                line = f"{self._number(index)}refused   {error}"
                self._console.result(json.dumps(told) if self._as_json else line)

    def tell_unfinished(self) -> None:
        """Say that the service still works for us, though we no longer listen."""
        n_edit = len(self._accepted) - len(self._ended)
        if n_edit:
            self._console.note(
                f"{n_edit} accepted, not finished when watching stopped: see `palimpsest list`"
            )

    def conclude(self, *, waited: bool) -> Summary:
        """Print the summary."""
        edits = self._ended if waited else self._accepted
        left_out = [left.reason for left in self._facts.left_out]
        summary = Summary.of(edits, refused=self._refused, left_out=left_out, waited=waited)
        if self._as_json:
            self._console.result(json.dumps(summary.as_json()))
        else:
            for line in ["", *summary.lines()]:
                self._console.result(line)
        return summary

    def _result(self, index: int, edit: EditView) -> None:
        if self._as_json:
            told = {"index": index, "edit": edit.model_dump(mode="json")}
            self._console.result(json.dumps(told, ensure_ascii=False))
        else:
            self._console.result(self._number(index) + ending(edit))

    def _number(self, index: int) -> str:
        """Where the fact stands in the file; nothing for a single one."""
        if len(self._facts.usable) + len(self._facts.left_out) == 1:
            return ""
        return f"#{index:<{self._digits}} "
