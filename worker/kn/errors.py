"""What can go wrong in the engine."""

from collections.abc import Collection
from pathlib import Path
from typing import ClassVar

from contract.memory import ExcessError


class KnError(Exception):
    """Root of the engine's errors.

    KnError
    ├── UnknownFamilyError
    ├── QuantisedModelError
    ├── UnsuitableModelError
    ├── UnloadableModelError
    ├── UnknownDtypeError
    ├── UnknownDeviceError
    ├── BadRequestError
    │   ├── UnreachableTargetError
    │   ├── NothingToEraseError
    │   └── PromptTooLongError
    ├── OverBudgetError
    ├── EditError
    │   ├── NoNeuronsError
    │   ├── NoChangeError
    │   ├── NonFiniteError
    │   ├── NotReproducedError
    │   └── RankTooLargeError
    └── KeepError
        ├── AlreadyKeptError
        └── NotKeptError
    """

    code: ClassVar[str] = "internal"


class UnknownFamilyError(KnError):
    """The model's architecture has no layout here."""

    code: ClassVar[str] = "unknown_family"

    def __init__(self, model_type: str, *, known: list[str]) -> None:
        self.model_type = model_type
        super().__init__(f"model type {model_type!r} is not one of {', '.join(known)}")


class QuantisedModelError(KnError):
    """The model's weights are quantised: a column cannot be written."""

    code: ClassVar[str] = "quantised_model"

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(f"the model is quantised ({kind}): load its float weights instead")


class UnsuitableModelError(KnError):
    """The model is of a known family, but computes something else than the engine assumes."""

    code: ClassVar[str] = "unsuitable_model"


class UnloadableModelError(KnError):
    """There is no model in the directory, or none that can be read."""

    def __init__(self, directory: Path, *, reason: str) -> None:
        self.directory = directory
        super().__init__(f"no model can be loaded from {directory}: {reason}")


class UnknownDtypeError(KnError):
    """The dtype is not one the engine computes in."""

    def __init__(self, dtype: str, *, known: Collection[str]) -> None:
        super().__init__(f"dtype {dtype!r} is not one of {', '.join(known)}")


class UnknownDeviceError(KnError):
    """There is no such device here."""

    def __init__(self, device: str) -> None:
        super().__init__(f"device {device!r} cannot be used here")


class BadRequestError(KnError):
    """The request does not describe a possible edit."""

    code: ClassVar[str] = "invalid_request"


class UnreachableTargetError(BadRequestError):
    """The answer adds no token after the prompt."""

    code: ClassVar[str] = "target_unreachable"

    def __init__(self, answer: str) -> None:
        self.answer = answer
        super().__init__(f"answer {answer!r} adds no token after the prompt")


class NothingToEraseError(BadRequestError):
    """The model says nothing after the prompt, and no ground truth is given."""

    code: ClassVar[str] = "nothing_to_erase"

    def __init__(self) -> None:
        super().__init__(
            "the model says nothing after the prompt: name what to erase, ground_truth"
        )


class PromptTooLongError(BadRequestError):
    """Prompt and answer do not fit the model's positions or its attention window."""

    code: ClassVar[str] = "prompt_too_long"

    def __init__(self, tokens: int, *, most: int) -> None:
        self.tokens = tokens
        self.most = most
        super().__init__(f"prompt and answer take {tokens} tokens, the model has room for {most}")


class OverBudgetError(KnError, ExcessError):
    """The edit, as far as it is known, takes more memory than its budget."""

    code: ClassVar[str] = "memory_infeasible"


class EditError(KnError):
    """The edit was tried and is not worth keeping."""


class NoNeuronsError(EditError):
    """No neuron's attribution passed the threshold in enough prompts."""

    code: ClassVar[str] = "no_neurons"

    def __init__(self, *, threshold: float, largest: float) -> None:
        self.threshold = threshold
        self.largest = largest
        super().__init__(
            f"no neuron passed {threshold:g} of the largest attribution {largest:.3g} "
            "in enough prompts: lower adaptive_threshold or p"
        )


class NoChangeError(EditError):
    """The edit leaves every weight as it was, in the model's dtype."""

    code: ClassVar[str] = "no_change"

    def __init__(self) -> None:
        super().__init__("the edit changes no weight in the model's dtype")


class NonFiniteError(EditError):
    """The edit, or a value it is computed from, is NaN or infinite."""

    code: ClassVar[str] = "non_finite"

    def __init__(self, what: str, *, dtype: str | None = None, remedy: str | None = None) -> None:
        self.what = what
        where = f" in {dtype}" if dtype else ""
        super().__init__(f"{what} is not finite{where}" + (f": {remedy}" if remedy else ""))


class NotReproducedError(EditError):
    """The stored files of an edit do not reproduce it."""

    code: ClassVar[str] = "not_reproduced"

    def __init__(self, difference: str) -> None:
        self.difference = difference
        super().__init__(f"the stored edit is not the one that was made: {difference}")


class RankTooLargeError(EditError):
    """The adapter is to be padded to a rank that vLLM accepts, and has more than the largest."""

    code: ClassVar[str] = "rank_too_large"

    def __init__(self, rank: int, *, most: int) -> None:
        super().__init__(
            f"the adapter has rank {rank}, vLLM takes at most {most}: "
            "leave pad_rank out, or compose fewer edits"
        )


class KeepError(KnError):
    """The edits in the resident weights are not those that the caller assumes."""


class AlreadyKeptError(KeepError):
    """The edit is already in the resident weights."""

    def __init__(self) -> None:
        super().__init__("the edit is kept already")


class NotKeptError(KeepError):
    """The edit is not in the resident weights, so it cannot be removed."""

    def __init__(self) -> None:
        super().__init__("the edit is not kept, or was taken back")
