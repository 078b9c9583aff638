"""What a user may ask for: one edit, in the terms of the knowledge-editing field."""

import json
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from contract.memory import VLLM_RANKS, distinct
from contract.wire.frozen import Frozen
from contract.wire.ids import CHECKPOINT_ID

MAX_NAME_CHARS = 200
MAX_PROMPT_CHARS = 4000
MAX_ANSWER_CHARS = 1000
MAX_PROMPTS = 16
MAX_PROBES = 64
MAX_STEPS = 300
MAX_NEURONS = 100_000
MAX_METADATA_CHARS = 10_000
MAX_METADATA_LEVELS = 50
"""Readers of JSON refuse what is nested too deep, pydantic at 200 levels: metadata is read again
within records, pages and manifests."""


def _encodable(value: object) -> object:
    try:
        str(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("holds a lone surrogate, which is not text") from error
    return value


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank")
    return text


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(str(metadata)) > MAX_METADATA_CHARS:
        raise ValueError(f"is larger than {MAX_METADATA_CHARS} characters")
    if _levels(metadata) > MAX_METADATA_LEVELS:
        raise ValueError(f"is nested deeper than {MAX_METADATA_LEVELS} levels")
    if not _is_json(metadata):
        raise ValueError("holds what JSON cannot tell, as a number that is not finite")
    return metadata


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _levels(value: object) -> int:
    match value:
        case dict():
            return 1 + max(map(_levels, value.values()), default=0)
        case list():
            return 1 + max(map(_levels, value), default=0)
        case _:
            return 0


def _whole(number: object) -> object:
    """JSON knows one kind of number: 20.0 is a whole one."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


Whole = Annotated[int, Field(strict=True), BeforeValidator(_whole)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS), BeforeValidator(_encodable)]
Prompt = Annotated[
    str,
    Field(min_length=1, max_length=MAX_PROMPT_CHARS),
    BeforeValidator(_encodable),
    AfterValidator(_not_blank),
]
Answer = Annotated[
    str,
    Field(min_length=1, max_length=MAX_ANSWER_CHARS),
    BeforeValidator(_encodable),
    AfterValidator(_not_blank),
]
Prompts = Annotated[tuple[Prompt, ...], Field(max_length=MAX_PROMPTS)]
Metadata = Annotated[
    dict[str, Any],
    AfterValidator(_small),
    Field(
        description=f"Yours; kept as it is. At most {MAX_METADATA_CHARS} characters, nested "
        f"{MAX_METADATA_LEVELS} levels deep."
    ),
]
Share = Annotated[float, Field(strict=True, gt=0, lt=1, allow_inf_nan=False)]


class Method(StrEnum):
    """How neurons are chosen and written."""

    CALIBRATED = "calibrated"
    PAPER = "paper"
    EASYEDIT = "easyedit"


class Operation(StrEnum):
    """What is done to the fact: overwritten, or erased."""

    EDIT = "edit"
    ERASE = "erase"


class Quadrature(StrEnum):
    """How points are laid on the integration path."""

    RIEMANN = "riemann"
    GAUSS_LEGENDRE = "gauss_legendre"


class HParams(Frozen):
    """The field's hyper-parameters; null means the method's own default or, of the threshold on a
    GPU, one by its memory."""

    steps: Whole = Field(
        default=20, ge=1, le=MAX_STEPS, description="Points on the integration path, m."
    )
    quadrature: Quadrature | None = Field(
        default=None,
        description="`riemann`, the field's, or `gauss_legendre`, which is far more exact with as "
        "many points; null is `gauss_legendre` for `calibrated`, `riemann` for the others. "
        "`easyedit` has points of its own and takes no other.",
    )
    adaptive_threshold: Share | None = Field(
        default=None,
        description="Share of the largest attribution above which a neuron counts; `calibrated` "
        "compares a neuron with the largest of its own layer.",
    )
    adaptive_threshold_max: Share | None = Field(
        default=None, description="How far admission may raise the threshold to make an edit fit."
    )
    p: float = Field(
        strict=True,
        default=0.5,
        ge=0,
        lt=1,
        allow_inf_nan=False,
        description="A neuron is kept when more than this share of the prompts have it (`paper`; "
        "`calibrated` takes the mean over prompts instead).",
    )
    refine: bool = Field(
        strict=True, default=True, description="Whether `p` is applied over several prompts."
    )
    max_neurons: Whole | None = Field(
        default=None,
        ge=1,
        le=MAX_NEURONS,
        description="At most so many neurons, the strongest first.",
    )

    @model_validator(mode="after")
    def _threshold_below_its_maximum(self) -> "HParams":
        low, high = self.adaptive_threshold, self.adaptive_threshold_max
        if low is not None and high is not None and low > high:
            raise ValueError("adaptive_threshold is above adaptive_threshold_max")
        return self


def _taken_by_vllm(rank: int) -> int:
    if rank not in VLLM_RANKS:
        raise ValueError(f"is not one of {', '.join(map(str, VLLM_RANKS))}")
    return rank


PadRank = Annotated[
    Annotated[
        int,
        Field(strict=True, json_schema_extra={"enum": list(VLLM_RANKS)}),
        AfterValidator(_taken_by_vllm),
    ]
    | None,
    Field(
        description="Fill the adapter's rank up with zeros to one that vLLM takes, of at least so "
        "many (older versions begin at 8). Null: it has as many ranks as it needs."
    ),
]


Deadline = Annotated[
    Annotated[Whole, Field(ge=1, le=2_592_000)] | None,
    Field(description="Seconds after which it is too late: it fails if it has not ended."),
]


class Probe(Frozen):
    """A prompt that only scores the edit, with the answer that counts as right."""

    prompt: Prompt
    ground_truth: Answer | None = Field(
        default=None, description="Absent: what the unedited model answers."
    )


Probes = Annotated[tuple[Probe, ...], Field(max_length=MAX_PROBES)]


class EditRequest(Frozen):
    """One fact to overwrite. What steers the edit is kept apart from what only scores it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "prompt": "The capital of France is",
                    "ground_truth": "Paris",
                    "target_new": "Rome",
                }
            ]
        }
    )

    model: Name | None = Field(
        default=None, description="Name of a served model; may be left out when there is one."
    )
    base: Annotated[str, Field(pattern=CHECKPOINT_ID)] | None = Field(
        default=None,
        description="A checkpoint to make the edit on; `calibrated` holds what the edits "
        "in it say. Null: it is made on the pristine model.",
    )
    method: Method = Method.CALIBRATED
    operation: Operation = Operation.EDIT
    prompt: Prompt
    subject: Prompt | None = None
    ground_truth: Answer | None = Field(
        default=None, description="The answer to overwrite. Absent: the model's own."
    )
    target_new: Answer
    refine_prompts: Prompts = Field(default=(), description="Paraphrases that refine neurons.")
    protect_prompts: Prompts = Field(default=(), description="Prompts whose answers must stay.")
    rephrase_prompts: Prompts = Field(default=(), description="Paraphrases that only score.")
    locality: Probes = Field(default=(), description="Unrelated facts that only score.")
    portability: Probes = Field(default=(), description="Consequences that only score.")
    hparams: HParams = HParams()
    require_held: bool = Field(
        strict=True, default=False, description="Whether an edit that does not hold is a failure."
    )
    pad_rank: PadRank = None
    deadline_s: Deadline = None
    metadata: Metadata = Field(default_factory=dict)

    @property
    def built_on(self) -> frozenset[str]:
        """The checkpoints that have to be there when the edit is made."""
        return frozenset({self.base} if self.base else ())

    @property
    def steering_prompts(self) -> tuple[str, ...]:
        """The prompts that express the fact, the request's own first, none twice."""
        return distinct((self.prompt, *self.refine_prompts))

    @property
    def quadrature(self) -> Quadrature:
        """The method's own where the request leaves it open."""
        calibrated = self.method is Method.CALIBRATED
        own = Quadrature.GAUSS_LEGENDRE if calibrated else Quadrature.RIEMANN
        return self.hparams.quadrature or own

    @model_validator(mode="after")
    def _easyedit_has_points_of_its_own(self) -> "EditRequest":
        if self.method is Method.EASYEDIT and self.quadrature is not Quadrature.RIEMANN:
            raise ValueError("method easyedit has points of its own: quadrature must be riemann")
        return self

    @model_validator(mode="after")
    def _what_is_edited_is_not_protected(self) -> "EditRequest":
        edited = {" ".join(prompt.split()) for prompt in self.steering_prompts}
        for prompt in self.protect_prompts:
            if " ".join(prompt.split()) in edited:
                raise ValueError(f"{prompt!r} is to be edited and in protect_prompts")
        return self
