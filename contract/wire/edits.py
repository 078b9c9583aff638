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
        raise ValueError("contains a lone surrogate, which is not valid text") from error
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
        raise ValueError("contains a value that JSON cannot represent, such as NaN")
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
        description=f"Your own data, kept unchanged: at most {MAX_METADATA_CHARS} characters, "
        f"nested at most {MAX_METADATA_LEVELS} levels deep."
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
    """Hyper-parameters, named as in the field; null means the method's own default, or for the
    threshold on a GPU, one by the GPU's memory."""

    steps: Whole = Field(
        default=20, ge=1, le=MAX_STEPS, description="Points on the integration path, m."
    )
    quadrature: Quadrature | None = Field(
        default=None,
        description="`riemann`, as in the field, or `gauss_legendre`, which is far more exact with "
        "as many points; null is `gauss_legendre` for `calibrated`, `riemann` for the others. "
        "`easyedit` has its own points: leave it out.",
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
        description="With `paper`, a neuron is kept when more than this share of the prompts "
        "select it; `calibrated` takes the mean over prompts instead.",
    )
    refine: bool = Field(
        strict=True, default=True, description="Whether `p` is applied over several prompts."
    )
    max_neurons: Whole | None = Field(
        default=None,
        ge=1,
        le=MAX_NEURONS,
        description="Largest number of neurons to edit; the strongest are kept.",
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
        description="Pad the adapter with zeros to a rank that vLLM supports, at least this "
        "one (older versions begin at 8). Null: no padding."
    ),
]


Deadline = Annotated[
    Annotated[Whole, Field(ge=1, le=2_592_000)] | None,
    Field(
        description="Seconds after the request by which the job has to finish; it fails otherwise."
    ),
]


class Probe(Frozen):
    """A prompt that only scores the edit, with the answer that counts as right."""

    prompt: Prompt
    ground_truth: Answer | None = Field(
        default=None, description="The right answer; absent: the unedited model's own."
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
        description="A checkpoint to make the edit on; `calibrated` protects the answers of "
        "the edits in it. Null: the base model itself.",
    )
    method: Method = Method.CALIBRATED
    operation: Operation = Operation.EDIT
    prompt: Prompt
    subject: Prompt | None = None
    ground_truth: Answer | None = Field(
        default=None, description="The answer to overwrite. Absent: the model's own."
    )
    target_new: Answer
    refine_prompts: Prompts = Field(
        default=(), description="Paraphrases that refine the choice of neurons."
    )
    protect_prompts: Prompts = Field(
        default=(), description="Prompts whose answers are to stay the same."
    )
    rephrase_prompts: Prompts = Field(
        default=(), description="Paraphrases that only score the edit."
    )
    locality: Probes = Field(default=(), description="Unrelated facts that only score the edit.")
    portability: Probes = Field(
        default=(), description="Consequences of the fact that only score the edit."
    )
    hparams: HParams = HParams()
    require_held: bool = Field(
        strict=True, default=False, description="Fail the edit if the new answer does not hold."
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
            raise ValueError(
                "method easyedit has its own points: quadrature must be riemann or left out"
            )
        return self

    @model_validator(mode="after")
    def _what_is_edited_is_not_protected(self) -> "EditRequest":
        edited = {" ".join(prompt.split()) for prompt in self.steering_prompts}
        for prompt in self.protect_prompts:
            if " ".join(prompt.split()) in edited:
                raise ValueError(
                    f"{prompt!r} is both edited and in protect_prompts: remove it from one"
                )
        return self
