"""One edit, as the engine takes it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Self

from contract.memory import distinct
from worker.kn.collect.quadrature import Quadrature, Rule
from worker.kn.errors import BadRequestError
from worker.kn.hparams import HParams

MAX_PROMPT_CHARS = 4000
MAX_ANSWER_CHARS = 1000
MAX_PROMPTS = 16
MAX_PROBES = 64
PROMPTS = ("refine_prompts", "protect_prompts", "rephrase_prompts")
PROBES = ("locality", "portability")


class Method(StrEnum):
    """How neurons are chosen and written."""

    CALIBRATED = "calibrated"
    PAPER = "paper"
    EASYEDIT = "easyedit"


class Operation(StrEnum):
    """Overwrite the fact, or erase its neurons."""

    EDIT = "edit"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Probe:
    """A prompt that only scores; without an answer, the unedited model's own counts."""

    prompt: str
    ground_truth: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRequest:
    """One fact to overwrite: what steers the edit, then what only scores it.

    Raises `BadRequestError` for what the service refuses too (`contract.wire.edits.EditRequest`).
    """

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
    hparams: HParams = field(default_factory=HParams)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "method", Method(self.method))
            object.__setattr__(self, "operation", Operation(self.operation))
        except ValueError as error:
            raise BadRequestError(str(error)) from error
        for names, kind, most in ((PROMPTS, str, MAX_PROMPTS), (PROBES, Probe, MAX_PROBES)):
            for name in names:
                several = _several(name, getattr(self, name), kind=kind, most=most)
                object.__setattr__(self, name, several)
        for name, text, most in self._texts():
            _check_text(name, text, most=most)
        self._check_meaning()

    @property
    def rule(self) -> Rule:
        """How points lie on the integration path: `calibrated` takes Gauss-Legendre where the
        request leaves it open, the others what their sources do."""
        own = Rule.GAUSS_LEGENDRE if self.method is Method.CALIBRATED else Rule.RIEMANN
        return self.hparams.quadrature or own

    @property
    def quadrature(self) -> Quadrature:
        """The points on the integration path."""
        return self.rule.points(self.hparams.steps)

    def _check_meaning(self) -> None:
        if not isinstance(self.hparams, HParams):
            raise BadRequestError(f"hparams is {self.hparams!r}, not HParams")
        if self.method is Method.EASYEDIT and self.rule is not Rule.RIEMANN:
            raise BadRequestError("easyedit has points of its own: quadrature must be riemann")
        steering = {_words(prompt) for prompt in self.steering_prompts}
        for prompt in self.protect_prompts:
            if _words(prompt) in steering:
                raise BadRequestError(f"{prompt!r} is to be edited and in protect_prompts")

    def _texts(self) -> Iterator[tuple[str, object, int]]:
        """Every text that is given, what it is given as, and how many characters it may have."""
        yield "prompt", self.prompt, MAX_PROMPT_CHARS
        yield "target_new", self.target_new, MAX_ANSWER_CHARS
        if self.subject is not None:
            yield "subject", self.subject, MAX_PROMPT_CHARS
        if self.ground_truth is not None:
            yield "ground_truth", self.ground_truth, MAX_ANSWER_CHARS
        for name in PROMPTS:
            yield from ((name, prompt, MAX_PROMPT_CHARS) for prompt in getattr(self, name))
        for name in PROBES:
            for probe in getattr(self, name):
                yield name, probe.prompt, MAX_PROMPT_CHARS
                if probe.ground_truth is not None:
                    yield name, probe.ground_truth, MAX_ANSWER_CHARS

    @property
    def steering_prompts(self) -> tuple[str, ...]:
        """The prompts that express the fact, the request's own first, none twice."""
        return distinct((self.prompt, *self.refine_prompts))

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> Self:
        """Read a JSON record with the service's names, ignoring fields that do not concern the
        engine (`metadata`, `model` …); raises `BadRequestError`."""
        if not isinstance(record, Mapping):
            raise BadRequestError(f"the request is {record!r}, not fields by name")
        for name in ("prompt", "target_new"):
            if record.get(name) is None:
                raise BadRequestError(f"{name} is missing")
        try:
            known = {f.name: record[f.name] for f in fields(cls) if record.get(f.name) is not None}
            for name in known.keys() & PROBES:
                known[name] = [_probe(probe) for probe in record[name]]
            known["hparams"] = HParams.parse(record.get("hparams") or {})
            known["ground_truth"] = _first_text(record.get("ground_truth"))
            return cls(**known)
        except (TypeError, ValueError, AttributeError) as error:
            raise BadRequestError(str(error)) from error


def _several(name: str, values: object, *, kind: type, most: int) -> tuple[Any, ...]:
    if not isinstance(values, (list, tuple)) or not all(isinstance(v, kind) for v in values):
        raise BadRequestError(f"{name} is {values!r}, not several of {kind.__name__}")
    if len(values) > most:
        raise BadRequestError(f"{name} are {len(values)}, more than {most}")
    return tuple(values)


def _check_text(name: str, value: object, *, most: int) -> None:
    if not isinstance(value, str):
        raise BadRequestError(f"{name} is {value!r}, not text")
    if not value.strip():
        raise BadRequestError(f"{name} is blank")
    if len(value) > most:
        raise BadRequestError(f"{name} has {len(value)} characters, more than {most}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadRequestError(f"{name} holds a lone surrogate, which is not text") from error


def _words(text: str) -> str:
    return " ".join(text.split())


def _probe(record: Mapping[str, Any]) -> Probe:
    prompt: Any = record.get("prompt")
    return Probe(prompt, _first_text(record.get("ground_truth")))


def _first_text(value: Any) -> str | None:
    """Data sets give an answer as a text, as a list of equals, or not at all."""
    if isinstance(value, list):
        value = value[0] if value else None
    if value is not None and not isinstance(value, str):
        raise BadRequestError(f"ground_truth {value!r} is not text")
    return value or None
