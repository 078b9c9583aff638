"""The demo model's errors.

DemoError
├── ForgottenFactsError   some answers are wrong after all the training
├── ForeignDirectoryError the directory holds something else
└── UnwritableDirectoryError nothing can be kept there
"""

from collections.abc import Sequence
from pathlib import Path


class DemoError(Exception):
    """Something kept the demo model from being made."""


class ForgottenFactsError(DemoError):
    """The trained model still answers some prompts wrongly."""

    def __init__(self, prompts: Sequence[str]) -> None:
        self.prompts = tuple(prompts)
        shown = ", ".join(repr(prompt) for prompt in self.prompts[:5])
        more = ", ..." if len(self.prompts) > 5 else ""
        super().__init__(f"{len(self.prompts)} wrong answers after training: {shown}{more}")


class ForeignDirectoryError(DemoError):
    """The directory is not empty and holds no demo model that may be replaced."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        super().__init__(
            f"{directory} is not empty and holds no demo model: choose an empty directory"
        )


class UnwritableDirectoryError(DemoError):
    """The directory cannot be made, or not be filled."""

    def __init__(self, directory: Path, *, reason: str) -> None:
        self.directory = directory
        super().__init__(f"cannot write to {directory}: {reason}")
