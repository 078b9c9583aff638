"""How strong a write must be: down until the new answer leads by a margin, and no further.

What is wanted (`worker.kn.methods.wanted`) pulls with −log P of the new answer's tokens that do not
lead by the margin yet, and of the token that should end it as the old one ended, in every prompt.
What is held (`worker.kn.methods.holding`) pulls with how far what the model says of other text is
moved: of the references that feel the write most, of what earlier edits say, of protected prompts.
Text that nobody told of may feel the write several times more than references do, so these are
held as if they felt it `exposure` times over; the others as they feel it. Every other step looks
at what is held, each time at another part of the references. A step
(`worker.kn.methods.descent`) follows both pulls.
The margin is a share of that by which the model was sure of what it said before: more would take
other facts along, less would not carry over to other phrasings. Of several prompts that are alike
it is a larger share than of those that differ, which tell more of what a further one would feel.
From a prompt alone it is largest for a first edit, since what edits cost other facts adds up: with
so many ranks written before, sureness + (first_sureness − sureness) / (1 + ranks / to_half).
Where a tokenizer has two spellings for a word it is larger still, as phrasings with the other one
feel less.
An answer that leads by the margin from the start is held firmer by one step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from worker.kn.methods.descent import Descent, Pace
from worker.kn.methods.holding import HeldTexts, hold
from worker.kn.methods.wanted import ENDLESS, Margin, Standing, Wanted, persuade
from worker.kn.methods.whitening import Direction
from worker.kn.model.resident import Resident
from worker.kn.stopwatch import Told
from worker.kn.write.adapter import LayerWrite


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How far to go, and in what steps."""

    pace: Pace = field(default_factory=Pace)
    most_steps: int = 100
    sureness: float = 0.6  # the margin, as a share of the lead of what the model says unedited
    first_sureness: float = 0.85  # that share where nothing is written yet
    to_half: int = 10  # ranks after which half of the difference is gone
    unlike: float = 0.75  # prompts that feel so much of a write to another alone, or less, differ
    unlike_sureness: float = 0.5  # the share, of prompts that differ
    alike: float = 0.9  # prompts that feel so much or more are alike
    alike_sureness: float = 1.0  # and that of prompts that are alike
    least_margin: float = 5.0
    most_margin: float = 10.0
    respelled: float = 1.5  # times a first margin, where words have two spellings
    ending_margin: float = 5.5  # of the answer's ending, however sure the model was
    exposure: float = 3.0  # references are held as if they felt so many times what they feel
    temperature: float = 2.0  # at which what the model says is compared
    look_every: int = 2  # steps in which what is held is looked at once
    recent: int = 10  # steps over which it is told how fast the answer gains

    def margin(
        self,
        lead: float,
        alike: float | None = None,
        *,
        written_rank: int = 0,
        respells: bool = False,
    ) -> Margin:
        """For a model that is sure of what it says by `lead` nats, and prompts as `alike`, on top
        of `written_rank` ranks; `respells` tells whether its tokenizer has two spellings for a
        word."""
        if alike is None:
            share = self._at_first(self.first_sureness, written_rank, later=self.sureness)
            times = self._at_first(self.respelled, written_rank, later=1.0) if respells else 1.0
        else:
            share, times = self._sure_of_several(alike), 1.0
        answer = min(max(share * lead, self.least_margin), self.most_margin)
        return Margin(times * answer, self.ending_margin)

    def _at_first(self, first: float, written_rank: int, *, later: float) -> float:
        """`first` where nothing is written, and nearer to `later` the more is."""
        return later + (first - later) / (1 + written_rank / self.to_half)

    def _sure_of_several(self, alike: float) -> float:
        share = min(max((alike - self.unlike) / (self.alike - self.unlike), 0.0), 1.0)
        return self.unlike_sureness + share * (self.alike_sureness - self.unlike_sureness)

    def ends(self, stood: Sequence[Standing]) -> bool:
        """Whether there is nothing more to go for, by how the answer stood before each step so far.

        That is where it leads by the margin; or where it leads, and what the recent steps gained
        would not bring it to the margin in all that are left.
        """
        now = stood[-1]
        if now.shortfall <= 0:
            return True
        if now.lead <= 0 or len(stood) <= self.recent:
            return False
        gained = stood[-1 - self.recent].shortfall - now.shortfall
        left = self.most_steps - len(stood) + 1
        return gained / self.recent * left < now.shortfall


def search_write(
    resident: Resident,
    wanted: Wanted,
    directions: Sequence[Direction],
    texts: HeldTexts,
    search: Search,
    *,
    told: Told,
) -> list[LayerWrite]:
    """Descend until the new answer leads by the margin everywhere, or will not get there."""
    descent = Descent(directions, resident.shape.d_model, search.pace)
    firmer = replace(wanted, margin=ENDLESS)
    stood: list[Standing] = []
    held = [torch.zeros_like(b) for b in descent.B]
    for step in range(search.most_steps):
        told(step, search.most_steps)
        stood.append(persuade(resident, wanted, directions, descent.B))
        if search.ends(stood):
            if step > 0:
                break
            persuade(resident, firmer, directions, descent.B)
        toward = descent.taken()
        if step > 0 and step % search.look_every == 0:  # at first nothing has moved yet
            held.clear()
            holdings = texts.at(step // search.look_every)
            hold(resident, holdings, descent.B, temperature=search.temperature)
            held = descent.taken()
        descent.step(toward, held)
    told(search.most_steps, search.most_steps)
    return [
        LayerWrite(d.layer, tuple(d.units), A=d.A, B=b.detach())
        for d, b in zip(directions, descent.B, strict=True)
    ]
