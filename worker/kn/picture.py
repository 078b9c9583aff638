"""A picture of an edit: its neurons by layer and score, as SVG."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

from worker.kn.collect.neuron import Scored

WIDTH, MARGIN = 760.0, 28.0
TOP, FOOT = 112.0, 50.0  # above and below the plot
STRIP_LEFT, STRIP_RIGHT = 62.0, 560.0
BAR_LEFT, BAR_RIGHT = 584.0, 694.0
LEAST_BAND, MAX_BAND = 7.0, 32.0  # the height of a layer
TITLE_COLUMNS, ANSWER_COLUMNS = 78, 34  # a wide character takes two
TEXTLESS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # not XML's

STYLE = """
.kn-edit{--card:#fff;--band:#f5f6f8;--grid:#dfe2e8;--ink:#1c2129;--soft:#667080;--dot:#4f46e5;
--bar:#c5c3f7;font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
@media (prefers-color-scheme:dark){.kn-edit{--card:#15181e;--band:#1c2028;--grid:#323844;
--ink:#e8eaee;--soft:#98a1b0;--dot:#9a95ff;--bar:#45429a}}
.kn-edit .card{fill:var(--card);stroke:var(--grid)}
.kn-edit .band{fill:var(--band)}
.kn-edit .grid{stroke:var(--grid)}
.kn-edit .dot{fill:var(--dot)}
.kn-edit .bar{fill:var(--bar)}
.kn-edit text{fill:var(--soft);font-size:11px}
.kn-edit .prompt{fill:var(--ink);font-size:17px;font-weight:600}
.kn-edit .answers{font-size:14px}
.kn-edit .new{fill:var(--dot);font-weight:600}
""".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A dot per neuron, from the lowest layer to the highest, with each layer's total beside.

    Within the band of its layer a neuron lies by its number, so that equal scores lie apart.
    """

    neurons: Sequence[Scored]
    n_layer: int
    d_ff: int
    prompt: str
    before: str
    after: str
    verdict: str

    def svg(self) -> str:
        """The picture as the text of an SVG file, which follows the viewer's light or dark."""
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" class="kn-edit" role="img" '
                f'width="{WIDTH:g}" height="{self._height:g}" '
                f'viewBox="0 0 {WIDTH:g} {self._height:g}">',
                f"<title>{_text(f'{self.prompt} {self.before} → {self.after}')}</title>",
                f"<style>{escape(STYLE)}</style>",
                f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1:g}" '
                f'height="{self._height - 1:g}" rx="12"/>',
                *self._heading(),
                *self._bands(),
                *self._axis(),
                *self._bars(),
                *self._dots(),
                "</svg>\n",
            ]
        )

    @property
    def _band(self) -> float:
        return min(max(416 / self.n_layer, LEAST_BAND), MAX_BAND)

    @property
    def _bottom(self) -> float:
        return TOP + self._band * self.n_layer

    @property
    def _height(self) -> float:
        return math.ceil(self._bottom + FOOT)

    @property
    def _scale(self) -> "Scale":
        scores = [scored.score for scored in self.neurons]
        return Scale.over(min([0.0, *scores]), max([0.0, *scores]))

    def _y(self, layer: float) -> float:
        """The lower edge of a layer's band; the first layer is the lowest."""
        return self._bottom - layer * self._band

    def _heading(self) -> Iterator[str]:
        layers = len({scored.neuron.layer for scored in self.neurons})
        counted = f"{_many(len(self.neurons), 'neuron')} in {layers} of {self.n_layer} layers"
        prompt = _cut(self.prompt, TITLE_COLUMNS)
        yield f'<text class="prompt" x="{MARGIN:g}" y="38">{prompt}</text>'
        yield (
            f'<text class="answers" x="{MARGIN:g}" y="63">{_cut(self.before, ANSWER_COLUMNS)} → '
            f'<tspan class="new">{_cut(self.after, ANSWER_COLUMNS)}</tspan></text>'
        )
        yield f'<text x="{MARGIN:g}" y="85">{_text(self.verdict)} · {counted}</text>'

    def _bands(self) -> Iterator[str]:
        stride = next(n for n in (1, 2, 4) if n * self._band >= 18)
        for layer in range(self.n_layer):
            if layer % 2 == 0:
                yield _rect("band", STRIP_LEFT, self._y(layer + 1), STRIP_RIGHT, self._band)
            if layer % stride == 0:
                yield _label(STRIP_LEFT - 8, self._y(layer + 0.5) + 4, str(layer), "end")
        middle = (TOP + self._bottom) / 2
        yield (
            f'<text text-anchor="middle" transform="translate({MARGIN:g} {middle:g}) '
            'rotate(-90)">layer</text>'
        )

    def _axis(self) -> Iterator[str]:
        for tick in self._scale.ticks():
            x = self._scale.x(tick)
            yield (
                f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP:g}" '
                f'y2="{self._bottom + 4:g}"/>'
            )
            yield _label(x, self._bottom + 18, f"{tick:.6g}", "middle")
        yield _label((STRIP_LEFT + STRIP_RIGHT) / 2, self._bottom + 36, "attribution", "middle")
        yield _label(BAR_LEFT, self._bottom + 36, "total by layer · neurons", "start")

    def _bars(self) -> Iterator[str]:
        totals: dict[int, list[float]] = {}
        for neuron, score in self.neurons:
            totals.setdefault(neuron.layer, []).append(score)
        largest = max((sum(scores) for scores in totals.values()), default=0.0)
        thick = self._band * 0.6
        for layer, scores in sorted(totals.items()):
            share = max(sum(scores), 0.0) / largest if largest > 0 else 0.0
            right = BAR_LEFT + max(share * (BAR_RIGHT - BAR_LEFT), 1.0)
            yield _rect("bar", BAR_LEFT, self._y(layer + 0.5) - thick / 2, right, thick)
            if self._band >= 10:
                yield _label(right + 6, self._y(layer + 0.5) + 4, str(len(scores)), "start")

    def _dots(self) -> Iterator[str]:
        """The strongest last, so that it lies on top."""
        scale = self._scale
        for (layer, unit), score in sorted(self.neurons, key=lambda scored: scored.score):
            y = self._y(layer + 0.15 + 0.7 * (unit + 0.5) / self.d_ff)
            share = scale.share(score)
            yield (
                f'<circle class="dot" cx="{scale.x(score):.1f}" cy="{y:.1f}" '
                f'r="{2.2 + 3.8 * share:.1f}" opacity="{0.4 + 0.5 * share:.2f}">'
                f"<title>layer {layer}, unit {unit}: {score:.4g}</title></circle>"
            )


@dataclass(frozen=True, slots=True)
class Scale:
    """Scores from left to right; zero is always on it."""

    low: float
    high: float
    step: float

    @classmethod
    def over(cls, low: float, high: float) -> "Scale":
        """From `low` ≤ 0 to `high` ≥ 0, with four to ten round ticks."""
        span = max(high - low, 1e-300) if high > low else 1.0
        power: float = 10.0 ** math.floor(math.log10(span / 4))
        step = power * max((n for n in (1, 2, 5) if n * power <= span / 4), default=1)
        return cls(low, high if high > low else low + span, step)

    def x(self, score: float) -> float:
        share = (score - self.low) / (self.high - self.low)
        return STRIP_LEFT + 10 + share * (STRIP_RIGHT - STRIP_LEFT - 20)

    def share(self, score: float) -> float:
        """How strong a score is beside the largest, in 0..1."""
        return max(score, 0.0) / max(self.high, 1e-300)

    def ticks(self) -> list[float]:
        first, last = math.ceil(self.low / self.step), math.floor(self.high / self.step + 1e-9)
        return [n * self.step for n in range(first, last + 1)]


def _rect(kind: str, left: float, top: float, right: float, height: float) -> str:
    return (
        f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{height:.1f}" rx="2"/>'
    )


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_text(text)}</text>'


def _many(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _text(text: str) -> str:
    """On one line, escaped, without what XML cannot hold."""
    return escape(" ".join(TEXTLESS.sub("\ufffd", text).split()))


def _cut(text: str, columns: int) -> str:
    """As much of a text as fits, set apart from what surrounds it for either writing direction."""
    text, used = " ".join(text.split()), 0
    for i, letter in enumerate(text):
        used += 2 if east_asian_width(letter) in "WF" else 1
        if used > columns:
            text = text[:i].rstrip() + "…"
            break
    return f"\u2068{_text(text)}\u2069"
