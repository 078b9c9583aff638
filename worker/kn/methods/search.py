"""The search for a write: descent until the new answer leads by a margin, and no further.

The target (`worker.kn.methods.target`) contributes the gradient of −log P over the new answer's
tokens that do not lead by the margin yet, and the token that should end it as the old one ended, in
every prompt. Preservation (`worker.kn.methods.preserving`) contributes the gradient of how far the
model's predictions move on other text: on the references that respond to the write most, on what
earlier edits say, and on protected prompts. Text that is not among the references may respond
several times more than they do, so references count as if their response were `exposure` times as
large; the others count as they are. Preservation is evaluated at every other step, each time on
another part of the references. A step (`worker.kn.methods.descent`) follows both gradients.
The margin is a share of the unedited model's lead for its own answer: a larger one would change
other facts, a smaller one would not carry over to other phrasings. For several similar
prompts the share is larger than for dissimilar ones, which say more about how another phrasing
would respond. For a single prompt it is largest for a first edit, since the cost of edits to other
facts adds up: after so many ranks,
margin_share + (first_margin_share − margin_share) / (1 + ranks / to_half). Where a tokenizer has
two spellings for a word it is larger still, as phrasings with the other one respond less.
An answer that leads by the margin from the start is reinforced by one step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from worker.kn.methods.descent import Descent, Pace
from worker.kn.methods.preserving import PreservedTexts, preservation_backward
from worker.kn.methods.target import ENDLESS, Margin, Standing, Target, target_backward
from worker.kn.methods.whitening import Direction
from worker.kn.model.resident import Resident
from worker.kn.stopwatch import Progress
from worker.kn.write.adapter import LayerWrite


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How far to go, and in what steps."""

    pace: Pace = field(default_factory=Pace)
    most_steps: int = 100
    margin_share: float = 0.6  # the margin, as a share of the unedited model's own lead
    first_margin_share: float = 0.85  # that share where nothing is written yet
    to_half: int = 10  # ranks after which half of the difference is gone
    dissimilar: float = 0.75  # several prompts of this similarity or less are dissimilar
    dissimilar_margin_share: float = 0.5  # the share for dissimilar prompts
    similar: float = 0.9  # several prompts of this similarity or more are similar
    similar_margin_share: float = 1.0  # the share for similar prompts
    least_margin: float = 5.0
    most_margin: float = 10.0
    respelled: float = 1.5  # factor of a first margin, where words have two spellings
    ending_margin: float = 5.5  # of the answer's ending, whatever the model's own lead
    exposure: float = 3.0  # factor by which the references' response is scaled up
    temperature: float = 2.0  # of the predictions that preservation compares
    look_every: int = 2  # steps per evaluation of preservation
    recent: int = 10  # steps over which the answer's progress is measured

    def margin(
        self,
        lead: float,
        similarity: float | None = None,
        *,
        written_rank: int = 0,
        respells: bool = False,
    ) -> Margin:
        """The margin for a model whose own answer leads by `lead` nats and prompts of this
        similarity (None: a single prompt), on top of `written_rank` ranks; `respells` says whether
        the tokenizer has two spellings for a word."""
        if similarity is None:
            share = self._at_first(self.first_margin_share, written_rank, later=self.margin_share)
            times = self._at_first(self.respelled, written_rank, later=1.0) if respells else 1.0
        else:
            share, times = self._share_of_several(similarity), 1.0
        answer = min(max(share * lead, self.least_margin), self.most_margin)
        return Margin(times * answer, self.ending_margin)

    def _at_first(self, first: float, written_rank: int, *, later: float) -> float:
        """`first` where nothing is written, approaching `later` the more is."""
        return later + (first - later) / (1 + written_rank / self.to_half)

    def _share_of_several(self, similarity: float) -> float:
        low, high = self.dissimilar_margin_share, self.similar_margin_share
        place = (similarity - self.dissimilar) / (self.similar - self.dissimilar)
        return low + min(max(place, 0.0), 1.0) * (high - low)

    def ends(self, stood: Sequence[Standing]) -> bool:
        """Whether the descent is done, given the answer's standing before each step so far.

        It is when the answer leads by the margin; or when it leads, and at the rate of the recent
        steps would not reach the margin within those that are left.
        """
        now = stood[-1]
        if now.gap <= 0:
            return True
        if now.lead <= 0 or len(stood) <= self.recent:
            return False
        gained = stood[-1 - self.recent].gap - now.gap
        left = self.most_steps - len(stood) + 1
        return gained / self.recent * left < now.gap


def search_write(
    resident: Resident,
    target: Target,
    directions: Sequence[Direction],
    texts: PreservedTexts,
    search: Search,
    *,
    progress: Progress,
) -> list[LayerWrite]:
    """Descend until the new answer leads by the margin in every prompt, or would not reach it."""
    descent = Descent(directions, resident.shape.d_model, search.pace)
    firmer = replace(target, margin=ENDLESS)
    stood: list[Standing] = []
    preservation = [torch.zeros_like(b) for b in descent.B]
    for step in range(search.most_steps):
        progress(step, search.most_steps)
        stood.append(target_backward(resident, target, directions, descent.B))
        if search.ends(stood):
            if step > 0:
                break
            target_backward(resident, firmer, directions, descent.B)
        toward = descent.take_gradients()
        if step > 0 and step % search.look_every == 0:  # at first nothing has moved yet
            preservation.clear()
            texts_now = texts.at(step // search.look_every)
            preservation_backward(resident, texts_now, descent.B, temperature=search.temperature)
            preservation = descent.take_gradients()
        descent.step(toward, preservation)
    progress(search.most_steps, search.most_steps)
    return [
        LayerWrite(d.layer, tuple(d.units), A=d.A, B=b.detach())
        for d, b in zip(directions, descent.B, strict=True)
    ]
