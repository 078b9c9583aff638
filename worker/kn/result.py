"""What came of an edit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from worker.kn.collect.neuron import Scored
from worker.kn.evaluate.measurement import Measurement
from worker.kn.evaluate.metrics import Metrics
from worker.kn.evaluate.replies import Reply
from worker.kn.memory.metering import StagePeak
from worker.kn.picture import Picture
from worker.kn.write.adapter import Adapter


@dataclass(frozen=True, slots=True)
class EditWarning:
    """Something true and worth knowing that did not stop the edit."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EditResult:
    """An edit that was made, measured, and taken back: `adapter` is what remains of it."""

    adapter: Adapter
    held: bool
    layers_per_pass: int
    raised_threshold: float | None  # where more neurons were found than fitted
    neurons: tuple[Scored, ...]
    n_layer: int
    completeness: float
    """max_l |Σ_i IG(l, i) − ΔP_l| / max_l |ΔP_l|, the largest of all attributed tokens; 0 is exact.
    ΔP_l = P(answer | a) − P(answer | 0), layer l's units at 0 (Sundararajan et al., ICML 2017)."""
    measurement: Measurement
    predicted_peak_bytes: int
    observed_peak_bytes: int | None  # None where it was not measured
    timings: Mapping[str, float]
    stages: tuple[StagePeak, ...] = ()  # what of the peak is whose
    warnings: Sequence[EditWarning]

    @property
    def before(self) -> tuple[Reply, ...]:
        return self.measurement.before

    @property
    def after(self) -> tuple[Reply, ...]:
        return self.measurement.after

    @property
    def metrics(self) -> Metrics:
        return self.measurement.metrics

    @property
    def measured(self) -> tuple[Measurement, ...]:
        """All that was measured of the edit."""
        return (self.measurement,)

    def as_json(self) -> dict[str, Any]:
        """The result under the service's names."""
        return {
            "outcome": "held" if self.held else "not_held",
            "before": self.before[0].text,
            "after": self.after[0].text,
            "answers": self.measurement.answers(),
            "neurons": [
                {"layer": s.neuron.layer, "unit": s.neuron.unit, "score": s.score}
                for s in self.neurons
            ],
            "completeness": self.completeness,
            "metrics": asdict(self.metrics),
            "applied": {
                "layers_per_pass": self.layers_per_pass,
                "adaptive_threshold": self.raised_threshold,
            },
            "memory": {
                "predicted_peak_bytes": self.predicted_peak_bytes,
                "observed_peak_bytes": self.observed_peak_bytes,
                "stages": [_told(stage) for stage in self.stages],
            },
            "timings": {name: round(seconds, 4) for name, seconds in self.timings.items()},
            "warnings": [asdict(warned) for warned in self.warnings],
        }

    def picture(self, path: Path | str | None = None) -> str:
        """The neurons by layer and score as SVG, written to `path` too if one is given."""
        svg = Picture(
            neurons=self.neurons,
            n_layer=self.n_layer,
            d_ff=self.adapter.d_ff,
            prompt=self.measurement.questions[0].prompt,
            before=self.before[0].text,
            after=self.after[0].text,
            verdict="held" if self.held else "not held",
        ).svg()
        if path is not None:
            Path(path).write_text(svg, encoding="utf-8")
        return svg

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        return self.picture()


def _told(peak: StagePeak) -> dict[str, Any]:
    items = [
        {"name": item.name, "bytes": item.n_bytes, "depends_on": item.depends_on}
        for item in peak.items
        if item.n_bytes
    ]
    return {**peak._asdict(), "items": items}
