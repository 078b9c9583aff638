"""One edit, as the engine takes it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from types import NoneType
from typing import Any, Self

from worker.kn.errors import BadRequestError
from worker.kn.quadrature import Quadrature, Rule


class Method(StrEnum):
    """How neurons are chosen and written."""

    CALIBRATED = "calibrated"
    PAPER = "paper"
    EASYEDIT = "easyedit"


class Operation(StrEnum):
    """Overwrite the fact, or erase its neurons."""

    EDIT = "edit"
    ERASE = "erase"


HPARAM_KINDS: dict[str, tuple[type, ...]] = {
    "steps": (int,),
    "quadrature": (Rule,),
    "adaptive_threshold": (float, int, NoneType),
    "adaptive_threshold_max": (float, int, NoneType),
    "p": (float, int),
    "refine": (bool,),
    "max_neurons": (int, NoneType),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HParams:
    """The field's hyper-parameters; None means the method's own default."""

    steps: int = 20
    quadrature: Rule = Rule.RIEMANN
    adaptive_threshold: float | None = None
    adaptive_threshold_max: float | None = None
    p: float = 0.5
    refine: bool = True
    max_neurons: int | None = None

    def __post_init__(self) -> None:
        for name, kinds in HPARAM_KINDS.items():
            value = getattr(self, name)
            if type(value) not in kinds:
                raise BadRequestError(f"{name} is {value!r}, not {kinds[0].__name__}")
        if not 1 <= self.steps <= 300:
            raise BadRequestError(f"steps is {self.steps}, not in 1..300")
        if not 0 <= self.p < 1:
            raise BadRequestError(f"p is {self.p}, not in [0, 1)")
        if self.adaptive_threshold is not None and not 0 < self.adaptive_threshold < 1:
            raise BadRequestError(f"adaptive_threshold is {self.adaptive_threshold}, not in (0, 1)")
        if self.max_neurons is not None and self.max_neurons < 1:
            raise BadRequestError(f"max_neurons is {self.max_neurons}, not at least 1")

    @property
    def points(self) -> Quadrature:
        """The points on the integration path."""
        return self.quadrature.points(self.steps)

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> Self:
        """Read the service's JSON; raises `ValueError` or `TypeError`."""
        rule = Rule(record.get("quadrature", Rule.RIEMANN))
        return cls(**{**record, "quadrature": rule})


@dataclass(frozen=True, slots=True)
class Probe:
    """A prompt that only scores; without an answer, the unedited model's own counts."""

    prompt: str
    ground_truth: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRequest:
    """One fact to overwrite: what steers the edit, then what only scores it."""

    prompt: str
    target_new: str
    subject: str | None = None
    ground_truth: str | None = None
    method: Method = Method.CALIBRATED
    operation: Operation = Operation.EDIT
    refine_prompts: tuple[str, ...] = ()
    protect_prompts: tuple[str, ...] = ()
    rephrase_prompts: tuple[str, ...] = ()
    locality: tuple[Probe, ...] = ()
    portability: tuple[Probe, ...] = ()
    hparams: HParams = HParams()

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "method", Method(self.method))
            object.__setattr__(self, "operation", Operation(self.operation))
        except ValueError as error:
            raise BadRequestError(str(error)) from error
        for name, text in self._texts():
            _check_text(name, text)
        if self.method is Method.EASYEDIT and self.hparams.quadrature is not Rule.RIEMANN:
            raise BadRequestError("easyedit has points of its own: quadrature must be riemann")

    def _texts(self) -> Iterator[tuple[str, object]]:
        """Every text that is given, and what it is given as."""
        yield from (("prompt", self.prompt), ("target_new", self.target_new))
        maybe = [("subject", self.subject), ("ground_truth", self.ground_truth)]
        for name in ("refine_prompts", "protect_prompts", "rephrase_prompts"):
            if isinstance(getattr(self, name), str):
                raise BadRequestError(f"{name} is a text, not several")
            yield from ((name, text) for text in getattr(self, name))
        for name in ("locality", "portability"):
            yield from ((name, probe.prompt) for probe in getattr(self, name))
            maybe += [(name, probe.ground_truth) for probe in getattr(self, name)]
        yield from ((name, text) for name, text in maybe if text is not None)

    @property
    def steering_prompts(self) -> tuple[str, ...]:
        """The prompts that express the fact, the request's own first."""
        return (self.prompt, *self.refine_prompts)

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> Self:
        """Read a JSON record with the service's names, of which fields that do not concern the
        engine (`metadata`, `model` …) are passed over; raises `BadRequestError`."""
        for name in ("prompt", "target_new"):
            if not isinstance(record.get(name), str):
                raise BadRequestError(f"{name} is missing or not text")
        try:
            known = {f.name: record[f.name] for f in fields(cls) if record.get(f.name) is not None}
            for name in ("refine_prompts", "protect_prompts", "rephrase_prompts"):
                known[name] = _texts(record, name)
            for name in ("locality", "portability"):
                known[name] = tuple(_probe(probe) for probe in record.get(name) or ())
            known["method"] = record.get("method") or Method.CALIBRATED
            known["operation"] = record.get("operation") or Operation.EDIT
            known["hparams"] = HParams.parse(record.get("hparams") or {})
            known["ground_truth"] = _first_text(record.get("ground_truth"))
            return cls(**known)
        except (TypeError, ValueError, AttributeError) as error:
            raise BadRequestError(str(error)) from error


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise BadRequestError(f"{name} is {value!r}, not text")
    if not value.strip():
        raise BadRequestError(f"{name} is blank")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadRequestError(f"{name} holds a lone surrogate, which is not text") from error


def _texts(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = record.get(name) or ()
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):
        raise BadRequestError(f"{name} is not a list of texts")
    return tuple(values)


def _probe(record: Mapping[str, Any]) -> Probe:
    if not isinstance(record.get("prompt"), str):
        raise BadRequestError("a probe has no prompt")
    return Probe(record["prompt"], _first_text(record.get("ground_truth")))


def _first_text(value: Any) -> str | None:
    """Data sets give an answer as a text, as a list of equals, or not at all."""
    if isinstance(value, list):
        value = value[0] if value else None
    if value is not None and not isinstance(value, str):
        raise BadRequestError(f"ground_truth {value!r} is not text")
    return value or None
